//! The `type` of each control message as text: to tell an unknown message from a malformed one, and for logs.

use super::{AgentMessage, RelayMessage};

macro_rules! tags {
    ($message:ident { $($variant:ident => $tag:literal,)* }) => {
        impl $message {
            /// Every `type` of this direction.
            pub const TAGS: &'static [&'static str] = &[$($tag),*];

            /// The `type` of this message.
            pub fn tag(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $tag,)*
                }
            }
        }
    };
}

tags! {
    AgentMessage {
        PartBegin => "part_begin",
        Checkpoint => "checkpoint",
        AskLanded => "ask_landed",
        Progress => "progress",
        RunLog => "run_log",
        RunFinished => "run_finished",
        RunFailed => "run_failed",
        RunHandedBack => "run_handed_back",
        TestResult => "test_result",
        Discovered => "discovered",
        Health => "health",
        TicketStored => "ticket_stored",
        OfferKeys => "offer_keys",
        TakeKeys => "take_keys",
        AskReseal => "ask_reseal",
        Resealed => "resealed",
        UnknownMessage => "unknown_message",
        Beat => "beat",
        BeatAck => "beat_ack",
        Goodbye => "goodbye",
    }
}

tags! {
    RelayMessage {
        ResumeEntries => "resume_entries",
        StartRun => "start_run",
        LandedAnswer => "landed_answer",
        CancelRun => "cancel_run",
        PartLanded => "part_landed",
        PartFailed => "part_failed",
        CheckpointStored => "checkpoint_stored",
        RunClosed => "run_closed",
        Window => "window",
        TestConnection => "test_connection",
        Discover => "discover",
        NextTicket => "next_ticket",
        KeysKept => "keys_kept",
        Peers => "peers",
        Reseal => "reseal",
        GoAway => "go_away",
        UnknownMessage => "unknown_message",
        Beat => "beat",
        BeatAck => "beat_ack",
    }
}

//! Every way a run can end early, by cause, with a stable code and a text that says what to do next.

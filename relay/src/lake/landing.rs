//! Landing: the chunks of a part become a durable file, after its footer was checked and without decoding a page.

use super::error::{LakeError, PartFault};
use super::files::{Created, Files};
use super::footer::Footer;
use super::place::{TablePlace, landed_name};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use protocol::control::PartHeader;
use protocol::ids::RunId;

/// A part that is durable in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LandedPart {
    /// Its path, relative to the lake's root; what a commit names.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows, as its footer counts them.
    pub rows: u64,
    /// Its columns.
    pub columns: u64,
}

pub(crate) fn land(
    files: &Files,
    place: &TablePlace,
    run: &RunId,
    header: &PartHeader,
    chunks: Vec<Bytes>,
) -> Result<LandedPart, LakeError> {
    place.check()?;
    let path = format!("{}/{}", place.dir(), landed_name(run, &header.part)?);
    let refused =
        |fault| LakeError::Part { part: header.part.to_string(), table: place.table.clone(), fault };
    check_destination(place, run, header).map_err(refused)?;
    let bytes = joined(chunks);
    let footer = check(&bytes, header).map_err(refused)?;
    write(files, &path, &bytes)?;
    Ok(LandedPart {
        path,
        bytes: header.bytes,
        rows: footer.rows,
        columns: u64::try_from(footer.columns.len()).unwrap_or(u64::MAX),
    })
}

fn check_destination(place: &TablePlace, run: &RunId, header: &PartHeader) -> Result<(), PartFault> {
    if header.table == place.table && header.run == *run {
        return Ok(());
    }
    Err(PartFault::Elsewhere {
        announced: format!("table {} of {}", header.table, header.run),
        place: format!("table {} of {run}", place.table),
    })
}

fn check(bytes: &Bytes, header: &PartHeader) -> Result<Footer, PartFault> {
    let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if got != header.bytes {
        return Err(PartFault::Length { announced: header.bytes, got });
    }
    if !hex(digest(&SHA256, bytes).as_ref()).eq_ignore_ascii_case(&header.digest) {
        return Err(PartFault::Digest);
    }
    let footer = Footer::parse(bytes)?;
    if footer.rows != header.rows {
        return Err(PartFault::Rows { announced: header.rows, got: footer.rows });
    }
    Ok(footer)
}

/// A part whose acknowledgement was lost is sent again under its name. The second write of the same bytes makes sure that they are on
/// disk: the relay may have died between the first write and its fsync.
fn write(files: &Files, path: &str, bytes: &Bytes) -> Result<(), LakeError> {
    match files.create(path, bytes.clone())? {
        Created::New => Ok(()),
        Created::Exists if files.read(path)? == *bytes => files.overwrite(path, bytes.clone()),
        Created::Exists => Err(LakeError::NameReused { path: files.display(path) }),
    }
}

fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() == 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    whole.freeze()
}

/// A digest as the wire writes it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

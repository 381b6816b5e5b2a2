//! A first look at a table of the site's metadata: one answer, and what it tells of the others.

use crate::client::allow::{ListAsk, Of};
use crate::decode::MetadataPage;
use crate::error::Error;
use crate::extraction::each;
use crate::extraction::metadata::{Asked, Next, ask_one, feed, readable, undecodable};
use crate::extraction::run::Run;
use crate::extraction::writer::UnitWriter;
use crate::part::Part;
use crate::tables::Table;
use crate::tables::origin::Origin;

/// The first answer that a table would be read from.
pub(crate) struct Glance {
    /// About how many rows there are; `None` where nothing tells.
    pub(crate) rows: Option<u64>,
    /// Whether one answer stands for others.
    pub(crate) is_estimate: bool,
    /// About how many requests all of it takes.
    pub(crate) requests: u64,
    /// What the answer gave.
    pub(crate) parts: Vec<Part>,
}

/// Looks at the first page of a table of the site; of the fields the answer is there already.
pub(crate) async fn glance(run: &Run, table: Table, fields: Option<&str>) -> Result<Glance, Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    let mut glance = Glance { rows: Some(0), is_estimate: false, requests: 0, parts: Vec::new() };
    if let Some(json) = fields {
        let page =
            writer.sink.metadata(table, &Of::Site, json).map_err(|error| undecodable(table, &error))?;
        glance.rows = Some(page.count);
    } else if let Some(origin) = readable(run, table).await? {
        let of = each::found(run, origin.each).await?.of;
        let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
        glance.requests = count;
        glance.is_estimate = count > 1;
        if let Some(first) = of.into_iter().next() {
            let ask = ListAsk::first(table, first, run.client.is_cloud());
            match ask_one(run, origin, &ask).await? {
                Asked::Answer(json) => {
                    let page = feed(&mut writer, &ask, &json)?;
                    let (of_one, pages) = of_first_page(origin, &ask, &page);
                    glance.rows = of_one.map(|rows| rows.saturating_mul(count));
                    glance.is_estimate |= pages > 1;
                    glance.requests = count.saturating_mul(pages);
                }
                Asked::Withheld | Asked::Cut => glance.rows = None,
            }
        }
    }
    let finished = writer.sink.finish();
    glance.parts = finished.map_err(|error| undecodable(table, &error))?.parts;
    Ok(glance)
}

/// About how many rows, and in how many pages, a list has whose first page is known.
fn of_first_page(origin: &Origin, ask: &ListAsk, page: &MetadataPage) -> (Option<u64>, u64) {
    if !matches!(ask.next(origin, page), Next::Ask(_)) {
        return (Some(page.total.unwrap_or(page.count)), 1);
    }
    // A page that tells nothing of others and is not full is asked after once more, in vain as a rule.
    let is_full = origin.page.is_some_and(|size| page.count >= size);
    let rows = page.total.or((!is_full).then_some(page.count));
    (rows, rows.map_or(2, |rows| rows.div_ceil(page.count.max(1)).max(2)))
}

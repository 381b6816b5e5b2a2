//! The state of the simulated Jira: issues, their links, and the indexes that searches use.

use std::borrow::Cow;
use std::collections::HashMap;

use super::catalog::Catalog;
use super::catalog_generated;
use super::cloud::epics::Epics;
use super::config::GeneratedSite;
use super::doc::Doc;
use super::fields as f;
use super::generate::{Generator, NO_SLOT, Slim};
use super::index::{Entry, Index};

/// The other end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Number of a link type of the catalogue.
    Known(usize),
    /// The object of the link type as recorded.
    Recorded(String),
}

/// One end of a link, as one of its two issues shows it.
#[derive(Debug, Clone)]
pub(crate) struct LinkEnd {
    pub(crate) id: u64,
    pub(crate) kind: LinkKind,
    /// True when this issue shows `outwardIssue`.
    pub(crate) outward: bool,
    /// The other issue when it is one of this site; [`NO_SLOT`] otherwise.
    pub(crate) other: u32,
    /// The other issue's key and stub as recorded, shown until the other is changed.
    pub(crate) recorded: Option<(String, String)>,
}

/// Parent and sub-tasks of a recorded issue, as recorded.
#[derive(Debug, Default)]
pub(crate) struct RecordedFamily {
    pub(crate) parent: Option<String>,
    /// Each with its slot when it is in the recording, else [`NO_SLOT`].
    pub(crate) subtasks: Vec<(u32, String)>,
}

/// The whole state. Issues are numbered by *slot*, in the order in which they came to be.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) catalog: Catalog,
    pub(crate) generator: Option<Generator>,
    pub(crate) slims: Vec<Slim>,
    pub(crate) docs: HashMap<u32, Doc>,
    pub(crate) links: HashMap<u32, Vec<LinkEnd>>,
    pub(crate) children: HashMap<u32, Vec<u32>>,
    /// Shown until the other issue is changed.
    pub(crate) recorded_family: HashMap<u32, RecordedFamily>,
    by_id: HashMap<u64, u32>,
    by_key: HashMap<(u16, u32), u32>,
    pub(crate) by_created: Index,
    pub(crate) by_updated: Index,
    pub(crate) by_key_order: Index,
    pub(crate) next_number: Vec<u32>,
    pub(crate) next_id: u64,
    pub(crate) next_child_id: u64,
    /// Of a Cloud site only: which issues lie in epics.
    pub(crate) epics: Option<Epics>,
    /// Of a Cloud site only: the times of histories are whole seconds.
    pub(crate) whole_seconds: bool,
    /// Instant and earlier `updated` of changed issues (`None` for created ones), for searches that lag behind.
    pub(crate) changed: HashMap<u32, (i64, Option<i64>)>,
    /// Issues that no account sees, by slot; they count as not alive.
    pub(crate) hidden: std::collections::BTreeSet<u32>,
    /// Deleted worklogs: id and instant.
    pub(crate) deleted_worklogs: Vec<(u64, i64)>,
}

/// Which of an issue's three index entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Created,
    Updated,
    Key,
}

impl Site {
    /// A generated site whose URLs start with `base`.
    pub(crate) fn generated(base: &str, site: &GeneratedSite) -> Self {
        let catalog = catalog_generated::build(base, site);
        let generator = Generator { site: site.clone() };
        let slims = generator.slims(&catalog);
        let seed_links = generator.links(&slims, catalog.link_types.len());
        let mut state = Self::from_parts(catalog, slims, Some(generator));
        for link in seed_links {
            let kind = LinkKind::Known(link.link_type);
            let end =
                |outward, other| LinkEnd { id: link.id, kind: kind.clone(), outward, other, recorded: None };
            state.links.entry(link.source).or_default().push(end(true, link.target));
            state.links.entry(link.target).or_default().push(end(false, link.source));
        }
        state
    }

    /// A site without links over known issues.
    pub(crate) fn from_parts(catalog: Catalog, slims: Vec<Slim>, generator: Option<Generator>) -> Self {
        let mut site = Self {
            generator,
            docs: HashMap::new(),
            links: HashMap::new(),
            children: HashMap::new(),
            recorded_family: HashMap::new(),
            by_id: HashMap::with_capacity(slims.len()),
            by_key: HashMap::with_capacity(slims.len()),
            by_created: Index::default(),
            by_updated: Index::default(),
            by_key_order: Index::default(),
            next_number: vec![0; catalog.projects.len()],
            next_id: slims.iter().map(|slim| slim.id).max().unwrap_or(0) + 16,
            next_child_id: 4_000_000_000,
            epics: None,
            whole_seconds: false,
            changed: HashMap::new(),
            hidden: std::collections::BTreeSet::new(),
            deleted_worklogs: Vec::new(),
            catalog,
            slims,
        };
        for (slot, slim) in (0_u32..).zip(&site.slims) {
            site.by_id.insert(slim.id, slot);
            site.by_key.insert((slim.project, slim.number), slot);
            let next = &mut site.next_number[usize::from(slim.project)];
            *next = (*next).max(slim.number);
            if slim.parent != NO_SLOT {
                site.children.entry(slim.parent).or_default().push(slot);
            }
        }
        let axis = |axis| Index::new((0..site.slot_count()).map(|slot| site.entry(axis, slot)).collect());
        let (created, updated, keys) = (axis(Axis::Created), axis(Axis::Updated), axis(Axis::Key));
        site.by_created = created;
        site.by_updated = updated;
        site.by_key_order = keys;
        site
    }

    pub(crate) fn slot_count(&self) -> u32 {
        u32::try_from(self.slims.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn slim(&self, slot: u32) -> &Slim {
        &self.slims[slot as usize]
    }

    /// The index entry of an issue on an axis.
    pub(crate) fn entry(&self, axis: Axis, slot: u32) -> Entry {
        let slim = self.slim(slot);
        let at = match axis {
            Axis::Created => slim.created_ms.div_euclid(1000),
            Axis::Updated => slim.updated_ms.div_euclid(1000),
            Axis::Key => 0,
        };
        Entry { at, rank: self.catalog.projects[usize::from(slim.project)].rank, number: slim.number, slot }
    }

    pub(crate) fn index(&self, axis: Axis) -> &Index {
        match axis {
            Axis::Created => &self.by_created,
            Axis::Updated => &self.by_updated,
            Axis::Key => &self.by_key_order,
        }
    }

    /// Takes an issue out of the indexes, before its times or key change.
    pub(crate) fn unindex(&mut self, slot: u32) {
        let [created, updated, key] =
            [Axis::Created, Axis::Updated, Axis::Key].map(|axis| self.entry(axis, slot));
        self.by_created.remove(created);
        self.by_updated.remove(updated);
        self.by_key_order.remove(key);
    }

    /// Puts an issue into the indexes.
    pub(crate) fn reindex(&mut self, slot: u32) {
        let [created, updated, key] =
            [Axis::Created, Axis::Updated, Axis::Key].map(|axis| self.entry(axis, slot));
        self.by_created.insert(created);
        self.by_updated.insert(updated);
        self.by_key_order.insert(key);
    }

    /// Adds an issue that has just been created.
    pub(crate) fn push(&mut self, slim: Slim) -> u32 {
        let slot = self.slot_count();
        self.by_id.insert(slim.id, slot);
        self.by_key.insert((slim.project, slim.number), slot);
        if slim.parent != NO_SLOT {
            self.children.entry(slim.parent).or_default().push(slot);
        }
        self.slims.push(slim);
        self.reindex(slot);
        slot
    }

    /// Lets a key lead to an issue; keys that it had before lead to it as well.
    pub(crate) fn claim_key(&mut self, project: u16, number: u32, slot: u32) {
        self.by_key.insert((project, number), slot);
    }

    /// The present key.
    pub(crate) fn key(&self, slot: u32) -> String {
        let slim = self.slim(slot);
        format!("{}-{}", self.catalog.projects[usize::from(slim.project)].key, slim.number)
    }

    /// A living issue by its id.
    pub(crate) fn find_id(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied().filter(|slot| self.slim(*slot).alive)
    }

    /// A living issue by its present or a former key.
    pub(crate) fn find_key(&self, key: &str) -> Option<u32> {
        let (project, number) = key.rsplit_once('-')?;
        let project =
            self.catalog.projects.iter().position(|known| known.key.eq_ignore_ascii_case(project))?;
        let at = (u16::try_from(project).ok()?, number.parse().ok()?);
        self.by_key.get(&at).copied().filter(|slot| self.slim(*slot).alive)
    }

    /// A living issue by id or key.
    pub(crate) fn find(&self, id_or_key: &str) -> Option<u32> {
        match id_or_key.parse() {
            Ok(id) => self.find_id(id),
            Err(_) => self.find_key(id_or_key),
        }
    }

    /// The JSON parts, made from the seed unless it was changed or recorded.
    pub(crate) fn doc(&self, slot: u32) -> Cow<'_, Doc> {
        match (self.docs.get(&slot), &self.generator) {
            (Some(doc), _) => Cow::Borrowed(doc),
            (None, Some(generator)) => Cow::Owned(generator.doc(slot, self.slim(slot), &self.catalog)),
            (None, None) => Cow::Owned(Doc::default()),
        }
    }

    /// The JSON parts to change; from now on they are held.
    pub(crate) fn doc_mut(&mut self, slot: u32) -> &mut Doc {
        let made = if self.docs.contains_key(&slot) { None } else { Some(self.doc(slot).into_owned()) };
        self.slims[slot as usize].dirty = true;
        self.docs.entry(slot).or_insert_with(|| made.unwrap_or_default())
    }

    /// The summary as JSON, without making the whole issue.
    pub(crate) fn summary_json(&self, slot: u32) -> String {
        match (self.docs.get(&slot), &self.generator) {
            (Some(doc), _) => doc.get(f::SUMMARY).unwrap_or("\"\"").to_owned(),
            (None, Some(generator)) => generator.summary(slot),
            (None, None) => "\"\"".to_owned(),
        }
    }

    /// Slots of the living issues.
    pub(crate) fn living(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.slot_count()).filter(|slot| self.slim(*slot).alive)
    }
}

//! Where an issue's answer holds the rows of its children.

/// Where the rows of an issue's children are, and what a list of them is like.
#[derive(Debug)]
pub(crate) struct ChildLists {
    /// The members that hold the lists, from the issue on; those of `fields` are asked for by name.
    pub(crate) members: &'static [&'static str],
    /// What an element of a list is.
    pub(crate) element: Element,
    /// The frame around the list, where Jira sends one.
    pub(crate) frame: Option<ListFrame>,
    /// The column of `issues` that gets the number of elements: what the frame says, or else what the list holds.
    pub(crate) count_column: Option<usize>,
    /// The column without which an element is no row.
    pub(crate) key_column: usize,
    /// The column that gets the row's place in the list.
    pub(crate) ordinal_column: Option<usize>,
    /// What the rows of each member's list are to the issue; without it, one member fills the table.
    pub(crate) roles: Option<Roles>,
    /// Whether an element whose key came before in the list is no second row.
    pub(crate) is_distinct: bool,
}

impl ChildLists {
    /// What most lists have in common.
    pub(crate) const PLAIN: Self = Self {
        members: &[],
        element: Element::Object,
        frame: None,
        count_column: None,
        key_column: 0,
        ordinal_column: None,
        roles: None,
        is_distinct: false,
    };
}

/// The roles of the lists of several members, in the order of the members.
#[derive(Debug)]
pub(crate) struct Roles {
    pub(crate) column: usize,
    pub(crate) names: &'static [&'static str],
}

/// What an element of a list of children is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// One object, one row.
    Object,
    /// A link of an issue.
    Link,
    /// A history entry: one row an item.
    History,
    /// A sprint: an object, or the text of one.
    Sprint,
    /// An SLA of a customer request: one row a cycle.
    Sla,
    /// A person, whose id is the cell of that column.
    User(usize),
    /// A scalar, which is the cell of that column.
    Text(usize),
}

/// A list within a frame that counts it.
#[derive(Debug)]
pub(crate) struct ListFrame {
    /// The member of the frame that is the list.
    pub(crate) list: &'static str,
    /// What the list is called in warnings.
    pub(crate) what: &'static str,
    /// The warning's code when an issue comes without the list.
    pub(crate) unsent: &'static str,
    /// Whether the list has a resource of its own, from which it is read where a page holds only some of it.
    pub(crate) has_resource: bool,
}

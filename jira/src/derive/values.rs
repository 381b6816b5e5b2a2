//! Values of a field over time: what held at first and after every change.

/// A value: id and text; a field without a value has neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) id: Option<String>,
    pub(super) text: Option<String>,
}

impl Value {
    /// Takes what the history or an issue says; nothing and an empty text are the same.
    pub(super) fn new(id: Option<&str>, text: Option<&str>) -> Self {
        let full = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Self { id: full(id), text: full(text) }
    }

    pub(super) fn is_none(&self) -> bool {
        self.id.is_none() && self.text.is_none()
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => self.text == other.text,
        }
    }
}

/// One change of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: Value,
    pub(super) to: Value,
}

/// The values of a field with one value at a time: the first change tells what held before it.
pub(super) fn of_single(steps: Vec<Step>) -> Vec<Value> {
    let first = steps.first().map(|step| step.from.clone());
    first.into_iter().chain(steps.into_iter().map(|step| step.to)).collect()
}

/// The values of a field with several values at a time, of which each change adds or removes one: what held at first is what holds now,
/// with every change taken back, the last one first.
pub(super) fn of_several(current: Vec<Value>, steps: &[Step]) -> Vec<Value> {
    let mut members = current;
    for step in steps.iter().rev() {
        replace(&mut members, &step.to, &step.from);
    }
    let mut values = vec![joined(&members)];
    for step in steps {
        replace(&mut members, &step.from, &step.to);
        values.push(joined(&members));
    }
    values
}

fn replace(members: &mut Vec<Value>, gone: &Value, come: &Value) {
    if !gone.is_none() {
        members.retain(|member| !member.is_same(gone));
    }
    if !come.is_none() && !members.iter().any(|member| member.is_same(come)) {
        members.push(come.clone());
    }
}

/// Several values as one, in the order of their ids, so that one set is always one text.
pub(super) fn joined(members: &[Value]) -> Value {
    let number = |value: &Value| value.id.as_deref().and_then(|id| id.parse::<i64>().ok());
    let mut ordered: Vec<&Value> = members.iter().collect();
    ordered.sort_by(|one, other| {
        (number(one), &one.id, &one.text).cmp(&(number(other), &other.id, &other.text))
    });
    listed(ordered.into_iter())
}

/// Several values as one, in their own order.
pub(super) fn listed<'v>(members: impl Iterator<Item = &'v Value> + Clone) -> Value {
    let join = |part: fn(&Value) -> Option<&str>| {
        let parts: Vec<&str> = members.clone().filter_map(part).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    Value { id: join(|value| value.id.as_deref()), text: join(|value| value.text.as_deref()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(id: &str, text: &str) -> Value {
        Value::new(Some(id), Some(text))
    }

    fn added(id: &str, text: &str) -> Step {
        Step { from: Value::default(), to: value(id, text) }
    }

    fn removed(id: &str, text: &str) -> Step {
        Step { from: value(id, text), to: Value::default() }
    }

    #[test]
    fn the_members_at_first_are_those_that_no_change_brought() {
        let steps = [added("9", "b"), removed("10", "c"), removed("9", "b"), added("9", "b")];
        let values = of_several(vec![value("2", "a"), value("9", "b")], &steps);
        let ids: Vec<_> = values.iter().map(|value| value.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["2, 10", "2, 9, 10", "2, 9", "2", "2, 9"]);
        assert_eq!(values[1].text.as_deref(), Some("a, b, c"));
    }

    #[test]
    fn a_member_that_is_gone_everywhere_leaves_no_value() {
        let values = of_several(Vec::new(), &[removed("1", "x")]);
        assert_eq!(values, [value("1", "x"), Value::default()]);
    }

    #[test]
    fn a_renamed_member_is_the_same_member() {
        let values = of_several(vec![value("1", "new name")], &[added("1", "old name")]);
        assert_eq!(values, [Value::default(), value("1", "old name")]);
    }

    #[test]
    fn a_broken_chain_keeps_what_each_change_said() {
        let step = |from: &str, to: &str| Step { from: value(from, from), to: value(to, to) };
        let values = of_single(vec![step("1", "2"), step("7", "3")]);
        assert_eq!(values, [value("1", "1"), value("2", "2"), value("3", "3")]);
    }
}

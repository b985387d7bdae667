//! What somebody may have meant who has written a name that there is not.

/// How alike two names must be, from 0 to 1, to be taken for the same: the measure that clap uses, too.
const ALIKE: f64 = 0.8;

/// The name that is most like this one, if any is like it.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = names.into_iter().map(|name| (strsim::jaro_winkler(wrong, name), name));
    let best = alike.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// The end of a message about a wrong name: what is meant most likely, or where to look.
pub(crate) fn did_you_mean<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    nearest(wrong, names).map_or_else(|| otherwise.into(), |name| format!("did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_nonsense_is_not() {
        let names = ["keep-alive-interval", "keep-alive-timeout", "peer", "preset"];
        assert_eq!(nearest("keep-alive-intervall", names), Some("keep-alive-interval"));
        assert_eq!(nearest("keepalive-timeout", names), Some("keep-alive-timeout"));
        assert_eq!(nearest("peers", names), Some("peer"));
        assert_eq!(nearest("colour", names), None);
    }
}

//! The suggestion in an error about an unknown name.

/// Similarity from 0 to 1 below which a suggestion would only mislead.
const MIN_SIMILARITY: f64 = 0.8;

/// The candidate that is most like `name`, if any is like it at all. Case does not count, and for `Area/Place` names the
/// place alone may match, so that `london` finds `Europe/London`.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    let similarity = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let place = candidate.rsplit('/').next().unwrap_or(&candidate);
        strsim::jaro_winkler(&wanted, &candidate).max(strsim::jaro_winkler(&wanted, place))
    };
    candidates
        .into_iter()
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate.to_owned())
}

/// `; did you mean X?`, or nothing.
pub(super) fn hint(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}

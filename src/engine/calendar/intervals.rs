//! Union and difference of half-open ranges of milliseconds.

/// Sorted and merged: empty and inverted ranges vanish, overlapping and touching ones become one.
pub(super) fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.retain(|(start, end)| start < end);
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// What is left of `ranges` without `cuts`; both are merged, and so is the result.
pub(super) fn without(ranges: Vec<(i64, i64)>, cuts: &[(i64, i64)]) -> Vec<(i64, i64)> {
    if cuts.is_empty() {
        return ranges;
    }
    let mut left = Vec::with_capacity(ranges.len() + cuts.len());
    let mut next_cut = 0;
    for (mut start, end) in ranges {
        while next_cut < cuts.len() && cuts[next_cut].1 <= start {
            next_cut += 1;
        }
        for &(cut_start, cut_end) in cuts[next_cut..].iter().take_while(|cut| cut.0 < end) {
            if start < cut_start {
                left.push((start, cut_start));
            }
            start = start.max(cut_end);
        }
        if start < end {
            left.push((start, end));
        }
    }
    left
}

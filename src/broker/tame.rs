//! Makes what publishers chose in a frame harmless for the client library, before it reads it.
//!
//! The library reads nested headers by recursion, so that a few kilobytes of arrays in arrays end the process, and drops
//! the link over a short string that is not UTF-8, which the broker then delivers again for ever. RabbitMQ lets both
//! pass. So containers deeper than [`NESTING_LIMIT`] become byte arrays, which have the same length and are not read
//! any further, and the foreign bytes of such a string become question marks. Whatever else there is stays as it is.

use std::str;

/// How deep header tables and arrays may nest, the outermost table included; deeper ones arrive as bytes.
pub(super) const NESTING_LIMIT: usize = 64;

/// Frame type, channel, size.
pub(super) const FRAME_HEAD_BYTES: usize = 7;
const FRAME_END_BYTES: usize = 1;
const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
/// No broker sends larger ones of these kinds: its frames are 128 KiB by default.
const LONGEST_HELD_BYTES: usize = 16 * 1024 * 1024;
/// Class and method of `basic.return` and `basic.deliver`.
const BASIC_RETURN: [u8; 4] = [0, 60, 0, 50];
const BASIC_DELIVER: [u8; 4] = [0, 60, 0, 60];
/// Class, weight and body size before the flags of a content header.
const BEFORE_FLAGS_BYTES: usize = 12;

/// A content property on the wire.
#[derive(Clone, Copy)]
enum Field {
    Short,
    Table,
    Bytes(usize),
}

/// The properties of a content header, from the highest flag down.
const PROPERTIES: [Field; 14] = [
    Field::Short,
    Field::Short,
    Field::Table,
    Field::Bytes(1),
    Field::Bytes(1),
    Field::Short,
    Field::Short,
    Field::Short,
    Field::Short,
    Field::Bytes(8),
    Field::Short,
    Field::Short,
    Field::Short,
    Field::Short,
];

/// A frame that no broker sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oversized {
    /// What its head says.
    pub(super) bytes: usize,
}

/// Goes through the frames of one connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// How much of a frame that needs no look is still to come.
    passing: usize,
}

impl Frames {
    /// Tames what has arrived and says how many bytes from the first may be read; the rest is the beginning of a frame
    /// and must be shown again with what follows it.
    pub(super) fn tame(&mut self, arrived: &mut [u8]) -> Result<usize, Oversized> {
        let mut at = 0;
        loop {
            let passed = self.passing.min(arrived.len() - at);
            self.passing -= passed;
            at += passed;
            let rest = &mut arrived[at..];
            let Some((&mut [kind, _, _, s0, s1, s2, s3], _)) = rest.split_first_chunk_mut::<FRAME_HEAD_BYTES>() else {
                return Ok(at);
            };
            let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
            let whole = size.saturating_add(FRAME_HEAD_BYTES + FRAME_END_BYTES);
            if kind == METHOD || kind == CONTENT_HEADER {
                if whole > LONGEST_HELD_BYTES {
                    return Err(Oversized { bytes: whole });
                }
                if rest.len() < whole {
                    return Ok(at);
                }
                let payload = &mut rest[FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + size];
                // What ends too soon is for the library to refuse.
                let _ = if kind == METHOD { method(payload) } else { content_header(payload) };
            }
            self.passing = whole;
        }
    }
}

fn method(payload: &mut [u8]) -> Option<()> {
    let mut reader = Reader { bytes: payload, at: 0 };
    let of: [u8; 4] = reader.take(4)?.try_into().ok()?;
    match of {
        BASIC_DELIVER => {
            reader.short()?;
            reader.take(9)?;
        }
        BASIC_RETURN => {
            reader.take(2)?;
            reader.short()?;
        }
        _ => return Some(()),
    }
    reader.short()?;
    reader.short()
}

fn content_header(payload: &mut [u8]) -> Option<()> {
    let mut reader = Reader { bytes: payload, at: BEFORE_FLAGS_BYTES };
    let flags = u16::from_be_bytes(reader.take(2)?.try_into().ok()?);
    for (n, field) in PROPERTIES.into_iter().enumerate() {
        if flags & (0x8000 >> n) == 0 {
            continue;
        }
        match field {
            Field::Short => reader.short()?,
            Field::Table => reader.table()?,
            Field::Bytes(count) => drop(reader.take(count)?),
        }
    }
    Some(())
}

/// Walks through a payload; `None` where it ends too soon.
struct Reader<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&mut [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get_mut(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)).ok()
    }

    fn short(&mut self) -> Option<()> {
        let length = usize::from(*self.take(1)?.first()?);
        let text = self.take(length)?;
        if str::from_utf8(text).is_err() {
            for byte in text.iter_mut().filter(|byte| !byte.is_ascii()) {
                *byte = b'?';
            }
        }
        Some(())
    }

    fn table(&mut self) -> Option<()> {
        /// Where a container ends, and whether its values have names.
        struct Open {
            end: usize,
            named: bool,
        }
        let length = self.length()?;
        let mut open = vec![Open { end: self.at.checked_add(length)?, named: true }];
        while let Some(innermost) = open.last() {
            if self.at >= innermost.end {
                open.pop();
                continue;
            }
            if innermost.named {
                self.short()?;
            }
            let nests = open.len() < NESTING_LIMIT;
            let kind = self.take(1)?.first_mut()?;
            let length = match *kind {
                b't' | b'b' | b'B' => 1,
                b's' | b'U' | b'u' => 2,
                b'I' | b'i' | b'f' => 4,
                b'D' => 5,
                b'L' | b'l' | b'd' | b'T' => 8,
                b'V' => 0,
                b'S' | b'x' => self.length()?,
                b'A' | b'F' if !nests => {
                    *kind = b'x';
                    self.length()?
                }
                b'A' | b'F' => {
                    let named = *kind == b'F';
                    let length = self.length()?;
                    open.push(Open { end: self.at.checked_add(length)?, named });
                    0
                }
                _ => return None,
            };
            self.take(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;
    use lapin::protocol::basic::parse_properties;
    use lapin::types::AMQPValue;
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).expect("small");
        [&[kind, 0, 1][..], &size.to_be_bytes(), payload, &[0xCE]].concat()
    }

    /// A content header; the properties begin with their flags.
    fn content(properties: &[u8]) -> Vec<u8> {
        frame(CONTENT_HEADER, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], properties].concat())
    }

    fn with_headers(table: &[u8]) -> Vec<u8> {
        let length = u32::try_from(table.len()).expect("small").to_be_bytes();
        content(&[&[0x20, 0][..], &length, table].concat())
    }

    /// A table with one header `a`: so many containers in one another, each under an empty name where it has one.
    fn nested(levels: usize, kind: u8) -> Vec<u8> {
        let name: &[u8] = if kind == b'F' { &[0] } else { &[] };
        let mut table = b"\x01a".to_vec();
        for level in 0..levels {
            if level > 0 {
                table.extend(name);
            }
            table.push(kind);
            table.extend(u32::try_from((levels - level - 1) * (5 + name.len())).expect("small").to_be_bytes());
        }
        table
    }

    fn tamed(mut bytes: Vec<u8>) -> Vec<u8> {
        let passed = Frames::default().tame(&mut bytes);
        assert_eq!(passed, Ok(bytes.len()));
        bytes
    }

    fn properties(frame: &[u8]) -> BasicProperties {
        let payload = &frame[FRAME_HEAD_BYTES + BEFORE_FLAGS_BYTES..frame.len() - FRAME_END_BYTES];
        parse_properties(payload).expect("the library reads it").1
    }

    fn depth(value: &AMQPValue) -> usize {
        match value {
            AMQPValue::FieldArray(values) => 1 + values.as_slice().iter().map(depth).max().unwrap_or(0),
            AMQPValue::FieldTable(table) => 1 + table.inner().values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn what_nests_up_to_the_limit_stays_as_it_is() {
        for kind in [b'A', b'F'] {
            // The table itself is the first level.
            let frame = with_headers(&nested(NESTING_LIMIT - 1, kind));
            assert_eq!(tamed(frame.clone()), frame);
        }
    }

    #[test]
    fn what_nests_deeper_arrives_as_bytes() {
        for kind in [b'A', b'F'] {
            for levels in [NESTING_LIMIT, NESTING_LIMIT + 1, 20_000] {
                let properties = properties(&tamed(with_headers(&nested(levels, kind))));
                let headers = properties.headers().as_ref().expect("headers");
                assert_eq!(depth(&headers.inner()["a"]), NESTING_LIMIT - 1);
            }
        }
    }

    #[test]
    fn only_the_branch_that_nests_too_deep_is_changed() {
        let table =
            [b"\x01sS\0\0\0\x02hi".to_vec(), nested(NESTING_LIMIT, b'A'), b"\x01zI\0\0\0\x07".to_vec()].concat();
        let properties = properties(&tamed(with_headers(&table)));
        let headers = properties.headers().as_ref().expect("headers").inner();
        assert_eq!(headers["s"], AMQPValue::LongString("hi".into()));
        assert_eq!(headers["z"], AMQPValue::LongInt(7));
    }

    #[test]
    fn short_strings_that_are_not_utf_8_lose_their_foreign_bytes_and_others_none() {
        let table = b"\x03a\xff\xfeV\x03z\xc3\xb6V";
        let length = u32::try_from(table.len()).expect("small").to_be_bytes();
        let bytes = [&[0xA0, 0x10][..], b"\x02\xc3(", &length, table, b"\x04zo\xc3\xab"].concat();
        let properties = properties(&tamed(content(&bytes)));
        assert_eq!(properties.content_type().as_ref().map(|it| it.as_str()), Some("?("));
        assert_eq!(properties.user_id().as_ref().map(|it| it.as_str()), Some("zo\u{eb}"));
        let names: Vec<_> =
            properties.headers().as_ref().expect("headers").inner().keys().map(|it| it.as_str()).collect();
        assert_eq!(names, ["a??", "z\u{f6}"]);
    }

    #[test]
    fn the_routing_key_of_a_delivery_is_made_readable_too() {
        let deliver = frame(METHOD, b"\0\x3c\0\x3c\x01c\0\0\0\0\0\0\0\x01\0\x02ex\x03k\xff!");
        assert!(tamed(deliver).ends_with(b"\x02ex\x03k?!\xce"));
        let returned = frame(METHOD, b"\0\x3c\0\x32\x01\x38\x02no\x02ex\x03k\xff!");
        assert!(tamed(returned).ends_with(b"\x02ex\x03k?!\xce"));
    }

    #[test]
    fn bodies_and_other_methods_pass_untouched_and_at_once() {
        let bytes = [frame(3, b"\xff\xff\0\x3c"), frame(METHOD, b"\0\x0a\0\x1e\xff"), frame(8, b"")].concat();
        assert_eq!(tamed(bytes.clone()), bytes);
        let mut half = frame(3, &[0xff; 100])[..50].to_vec();
        assert_eq!(Frames::default().tame(&mut half), Ok(50));
    }

    #[test]
    fn a_frame_larger_than_any_that_a_broker_sends_is_refused_and_not_held() {
        let mut head = [CONTENT_HEADER, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert!(Frames::default().tame(&mut head).is_err());
    }

    proptest! {
        /// However the bytes are cut on their way, the same ones come out.
        #[test]
        fn what_comes_out_does_not_depend_on_how_it_came_in(
            frames in prop::collection::vec((1_u8..4, prop::collection::vec(any::<u8>(), 0..200)), 1..8),
            cuts in prop::collection::vec(1_usize..90, 1..40),
        ) {
            let mut bytes = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect::<Vec<_>>();
            bytes.extend(with_headers(&nested(NESTING_LIMIT + 3, b'A')));
            let whole = tamed(bytes.clone());
            let (mut guard, mut held, mut out) = (Frames::default(), Vec::new(), Vec::new());
            let (mut rest, mut cuts) = (&bytes[..], cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                held.extend_from_slice(now);
                let passed = guard.tame(&mut held).expect("small frames");
                out.extend(held.drain(..passed));
                rest = later;
            }
            prop_assert_eq!(out, whole);
        }

        /// Whatever a header holds, nothing deeper than the limit reaches the library.
        #[test]
        fn the_library_never_reads_deeper_than_the_limit(table in prop::collection::vec(prop::sample::select(b"AFSxV\0\x01\x05".to_vec()), 0..600)) {
            let frame = tamed(with_headers(&table));
            let payload = &frame[FRAME_HEAD_BYTES + BEFORE_FLAGS_BYTES..];
            if let Ok((_, properties)) = parse_properties(payload) {
                let headers = properties.headers().as_ref().expect("headers").inner();
                prop_assert!(headers.values().map(depth).max().unwrap_or(0) < NESTING_LIMIT);
            }
        }
    }
}

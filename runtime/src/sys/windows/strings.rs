//! Texts as the system wants them: UTF-16, one command line for all arguments, one block for the environment.

#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};

use windows_sys::Win32::Globalization::{CSTR_EQUAL, CSTR_LESS_THAN, CompareStringOrdinal};

/// With a zero at its end.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

const SPACE: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;
const EQUALS: u16 = b'=' as u16;
const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;

/// The arguments as one line, from which the C runtime and Rust's std make the same arguments again.
pub(super) fn command_line(args: &[OsString]) -> io::Result<Vec<u16>> {
    let mut line = Vec::new();
    for (number, arg) in args.iter().enumerate() {
        let arg: Vec<u16> = arg.encode_wide().collect();
        if arg.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an argument contains a zero byte"));
        }
        if number > 0 {
            line.push(SPACE);
        }
        match number {
            0 => quote_program(&arg, &mut line)?,
            _ => quote(&arg, &mut line),
        }
    }
    line.push(0);
    Ok(line)
}

/// The first argument goes from one quote to the next, and nothing is special between them.
fn quote_program(arg: &[u16], line: &mut Vec<u16>) -> io::Result<()> {
    if arg.contains(&QUOTE) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the program's name contains a quote"));
    }
    line.push(QUOTE);
    line.extend_from_slice(arg);
    line.push(QUOTE);
    Ok(())
}

/// Backslashes are themselves, but before a quote: there two stand for one, and one more makes the quote a letter.
fn quote(arg: &[u16], line: &mut Vec<u16>) {
    let quoted = arg.is_empty() || arg.iter().any(|unit| [SPACE, TAB].contains(unit));
    if quoted {
        line.push(QUOTE);
    }
    let mut backslashes = 0;
    for &unit in arg {
        if unit == BACKSLASH {
            backslashes += 1;
        } else {
            if unit == QUOTE {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
            }
            backslashes = 0;
        }
        line.push(unit);
    }
    if quoted {
        line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
        line.push(QUOTE);
    }
}

/// What the system's own libraries look for in the environment of whatever process they are in: where they are themselves.
/// Without it there are no sockets (`WSAStartup` fails), no cryptography, and no libraries that a manifest names.
const SYSTEM_ROOT: &str = "SystemRoot";

/// Adds [`SYSTEM_ROOT`] as it is in this process to an environment that lacks it.
pub(super) fn with_system_root(variables: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let mut variables = variables.to_vec();
    if !variables.iter().any(|(name, _)| is_same_variable(name, SYSTEM_ROOT.as_ref())) {
        variables.extend(std::env::var_os(SYSTEM_ROOT).map(|root| (SYSTEM_ROOT.into(), root)));
    }
    variables
}

/// `name=value`, each with a zero at its end, in the order of the names, and one more zero.
pub(super) fn environment_block(variables: &[(OsString, OsString)], own: (&str, &str)) -> io::Result<Vec<u16>> {
    let own = (OsStr::new(own.0), OsStr::new(own.1));
    let mut sorted: Vec<(&OsStr, &OsStr)> =
        variables.iter().map(|(name, value)| (&**name, &**value)).chain([own]).collect();
    sorted.sort_by(|a, b| compare(a.0, b.0));
    let mut block = Vec::new();
    for (name, value) in sorted {
        let start = block.len();
        block.extend(name.encode_wide().chain([EQUALS]).chain(value.encode_wide()));
        if block[start..].contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an environment variable contains a zero byte"));
        }
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

/// Whether two names are those of one environment variable: upper and lower case make no difference.
pub(crate) fn is_same_variable(a: &OsStr, b: &OsStr) -> bool {
    compare(a, b).is_eq()
}

/// As the system orders the names of variables.
fn compare(a: &OsStr, b: &OsStr) -> Ordering {
    let (a, b): (Vec<u16>, Vec<u16>) = (a.encode_wide().collect(), b.encode_wide().collect());
    let len = |text: &[u16]| i32::try_from(text.len()).unwrap_or(i32::MAX);
    // SAFETY: both texts are valid for their length, and borrowed for the call.
    match unsafe { CompareStringOrdinal(a.as_ptr(), len(&a), b.as_ptr(), len(&b), 1) } {
        CSTR_EQUAL => Ordering::Equal,
        CSTR_LESS_THAN => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// A string of the system from its bytes, as `OsStr::as_encoded_bytes` gave them in another process: UTF-8, in which
/// also halves of surrogate pairs may stand. Other bytes are not believed, and replaced.
pub(crate) fn os_string(bytes: &[u8]) -> OsString {
    let mut units = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (valid, after) = match std::str::from_utf8(rest) {
            Ok(text) => (text, &rest[rest.len()..]),
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), after)
            }
        };
        units.extend(valid.encode_utf16());
        rest = match *after {
            [] => after,
            [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ref after @ ..] => {
                units.push(0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F));
                after
            }
            [_, ref after @ ..] => {
                units.push(0xFFFD);
                after
            }
        };
    }
    OsString::from_wide(&units)
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Foundation::LocalFree;
    use windows_sys::Win32::Globalization::lstrlenW;
    use windows_sys::Win32::UI::Shell::CommandLineToArgvW;

    use super::*;

    /// What the system itself makes of a command line.
    fn split(line: &[u16]) -> Vec<OsString> {
        let mut count = 0;
        // SAFETY: the line ends in a zero; the call writes to `count`.
        let array = unsafe { CommandLineToArgvW(line.as_ptr(), &raw mut count) };
        assert!(!array.is_null());
        // SAFETY: the array has that many pointers.
        let texts = unsafe { std::slice::from_raw_parts(array, count as usize) };
        let parts = texts.iter().map(|&text| {
            // SAFETY: each is to a text that ends in a zero.
            let len = unsafe { lstrlenW(text) };
            // SAFETY: it is that long.
            OsString::from_wide(unsafe { std::slice::from_raw_parts(text, len as usize) })
        });
        let parts = parts.collect();
        // SAFETY: the array was allocated by the call above.
        unsafe { LocalFree(array.cast()) };
        parts
    }

    #[test]
    fn arguments_come_out_as_they_went_in() {
        let odd = [
            "",
            " ",
            "a b",
            "\"",
            "\\",
            "\\\\",
            "\\\"",
            "a\\\"b",
            "ends with \\",
            "tab\there",
            "--flag=\"x y\"",
            "ä€𝄞",
            "a\\\\b",
            "\\\\server\\share\\",
            "'",
            "%PATH%",
            "^&|<>",
            "new\nline",
        ];
        let mut args: Vec<OsString> = vec!["C:\\Program Files\\x.exe".into()];
        args.extend(odd.map(OsString::from));
        args.push(OsString::from_wide(&[0xD800, 0x78]));
        assert_eq!(split(&command_line(&args).unwrap()), args);
        assert!(command_line(&["a\0".into()]).is_err());
        assert!(command_line(&["a\"b".into()]).is_err());
    }

    #[test]
    fn an_environment_says_where_the_system_is_unless_it_says_something_else() {
        let root = std::env::var_os("SystemRoot").unwrap();
        let other = |name: &str, value: &OsStr| (OsString::from(name), value.to_owned());
        let alone = [other("A", "1".as_ref())];
        assert_eq!(with_system_root(&alone), [other("A", "1".as_ref()), other("SystemRoot", &root)]);
        for said in [[other("SYSTEMROOT", "D:\\".as_ref())], [other("systemroot", "".as_ref())]] {
            assert_eq!(with_system_root(&said), said);
        }
    }

    #[test]
    fn the_block_is_sorted_whatever_the_case() {
        let variables = [("b", "2"), ("A", "1"), ("=C:", "C:\\")].map(|(name, value)| (name.into(), value.into()));
        let block = environment_block(&variables, ("OWN", "x")).unwrap();
        assert_eq!(String::from_utf16(&block).unwrap(), "=C:=C:\\\0A=1\0b=2\0OWN=x\0\0");
        assert!(is_same_variable("Path".as_ref(), "PATH".as_ref()) && !is_same_variable("A".as_ref(), "B".as_ref()));
    }

    #[test]
    fn strings_survive_also_if_they_are_no_unicode() {
        let odd = [&[0xD800][..], &[0x61, 0xDFFF, 0x62], &[0xD83D, 0xDE00, 0xD83D], &[0xE9]];
        for text in odd.map(OsString::from_wide) {
            assert_eq!(os_string(text.as_encoded_bytes()), text);
        }
        assert_eq!(os_string(b"a\xff\xed\x41b\xed\xa0"), "a\u{fffd}\u{fffd}Ab\u{fffd}\u{fffd}");
    }
}

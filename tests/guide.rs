//! The guide's page of refusals, held to its word: its faulty pieces report the errors that it quotes and no others, and
//! its repairs compile and run.

#[path = "ui/package.rs"]
mod package;
#[path = "ui/reported.rs"]
mod reported;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use package::Package;
use reported::Fault;

const PAGE: &str = include_str!("../runtime/src/docs/refusals.md");

/// A block of code or text.
struct Block {
    /// The line that it begins in, for the names of programs.
    line: usize,
    heading: String,
    /// The words after the backticks.
    kind: String,
    content: String,
}

#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
fn faults_read_as_quoted() {
    let blocks = blocks();
    let pairs: Vec<_> = blocks.windows(2).filter(|pair| pair[0].kind == "compile_fail").collect();
    let programs: Vec<_> = pairs.iter().map(|pair| write("fault", &pair[0], &program(&pair[0]))).collect();
    let mut reported = reported::faults(&Package::new("refusals").programs(&programs));
    let mut wrong = String::new();
    for pair in pairs {
        let [fault, quoted] = pair else { unreachable!("windows of two") };
        assert_eq!(quoted.kind, "text", "the errors of `{}` in line {} are not quoted", fault.heading, fault.line);
        let reported = reported.remove(&name("fault", fault)).unwrap_or_default();
        if let Err(difference) = compare(&quoted.content, &reported) {
            write!(wrong, "\n`{}` in line {}: {difference}\n", quoted.heading, quoted.line).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_fault_has_a_repair() {
    let blocks = blocks();
    for fault in blocks.iter().filter(|block| block.kind == "compile_fail") {
        let is_repair = |block: &&Block| block.kind.is_empty() && block.heading == fault.heading;
        assert!(blocks.iter().any(|block| is_repair(&block)), "`{}` has no repair", fault.heading);
    }
}

#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
fn repairs_compile_and_run() {
    let mut root = String::from("#![allow(unused, nonstandard_style)]\n");
    let mut calls = String::new();
    for block in blocks().iter().filter(|block| block.kind.is_empty()) {
        let (name, is_program) = (name("repair", block), block.content.contains("fn main()"));
        let call = if is_program { "pub fn run() { crate::run(main); }\n" } else { "" };
        let path = write("repair", block, &format!("{}\n{call}", with_beginning(block)));
        writeln!(root, "#[path = {path:?}] mod {name};").unwrap();
        if is_program {
            writeln!(calls, "    {name}::run();").unwrap();
        }
    }
    // What a program's `main` returns must be a success, whatever its type.
    write!(
        root,
        "fn run<T: std::process::Termination>(main: fn() -> T) {{\n    let code = main().report();\n    \
         assert_eq!(format!(\"{{code:?}}\"), format!(\"{{:?}}\", std::process::ExitCode::SUCCESS));\n}}\n\
         #[spawnsafe::process_main]\nfn main() {{\n{calls}}}\n"
    )
    .unwrap();
    let path = dir().join("repairs.rs");
    fs::write(&path, root).unwrap();
    let package = Package::new("repairs").programs(&[path]);
    package.build();
    package.run("repairs");
}

/// What the page says, against what rustc does. Other compilers than the pinned one have other words around ours.
fn compare(quoted: &str, reported: &[Fault]) -> Result<(), String> {
    let mut left: Vec<_> = reported.iter().collect();
    if left.is_empty() {
        return Err("it compiles".into());
    }
    if reported::is_pinned().is_err() {
        let ours = quoted.lines().filter(|line| line.starts_with("error: ") || line.starts_with("error[E0277]: "));
        let mut missing = ours.filter(|line| !reported.iter().any(|fault| words(&title(fault)) == words(line)));
        return missing.next().map_or(Ok(()), |line| Err(format!("no error is `{line}`, but:\n{}", all(reported))));
    }
    let mut last = None;
    for line in quoted.lines() {
        if line.starts_with("error") {
            let at = left.iter().position(|fault| title(fault) == line);
            last = Some(left.swap_remove(at.ok_or_else(|| format!("no error is `{line}`, but:\n{}", all(reported)))?));
        } else {
            let last = last.ok_or("the first line is no error")?;
            let is_said =
                last.title.lines().skip(1).chain(last.more.iter().map(String::as_str)).any(|said| said == line);
            if !is_said {
                return Err(format!("the error does not say `{line}`, but:\n{}", all(&[last])));
            }
        }
    }
    if left.is_empty() { Ok(()) } else { Err(format!("not quoted:\n{}", all(&left))) }
}

/// The first line, as rustc prints it.
fn title(fault: &Fault) -> String {
    let code = if fault.code.is_empty() { String::new() } else { format!("[{}]", fault.code) };
    format!("error{code}: {}", fault.title.lines().next().unwrap_or_default())
}

/// The title without types and names, which compilers print in various ways.
fn words(title: &str) -> String {
    title.split('`').step_by(2).collect()
}

fn all<F: std::borrow::Borrow<Fault>>(faults: &[F]) -> String {
    let said = faults.iter().map(|fault| {
        let fault = fault.borrow();
        let more = fault.title.lines().skip(1).chain(fault.more.iter().map(String::as_str));
        format!("{}\n{}", title(fault), more.map(|line| format!("{line}\n")).collect::<String>())
    });
    said.collect()
}

/// The blocks of the page after the first, with which each piece begins.
fn blocks() -> Vec<Block> {
    let mut blocks = all_blocks();
    blocks.remove(0);
    blocks
}

fn all_blocks() -> Vec<Block> {
    let (mut blocks, mut heading, mut open) = (vec![], String::new(), None);
    for (line, text) in (1..).zip(PAGE.lines()) {
        match (text.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block { line, heading: heading.clone(), kind: kind.into(), content: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.content += text;
                block.content += "\n";
            }
            (None, None) => {
                if let Some(text) = text.strip_prefix("## ") {
                    heading = text.into();
                }
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn program(block: &Block) -> String {
    let main = if block.content.contains("fn main(") { "" } else { "fn main() {}\n" };
    format!("#![allow(unused, nonstandard_style)]\n{}{main}", with_beginning(block))
}

fn with_beginning(block: &Block) -> String {
    format!("{}{}", all_blocks()[0].content, block.content)
}

fn name(prefix: &str, block: &Block) -> String {
    format!("{prefix}_in_line_{}", block.line)
}

fn write(prefix: &str, block: &Block, content: &str) -> PathBuf {
    let path = dir().join(name(prefix, block)).with_extension("rs");
    fs::write(&path, content).unwrap();
    path
}

fn dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refusals");
    fs::create_dir_all(&dir).unwrap();
    dir
}

//! What an entry costs to compile, and how large it is, in a debug build.
//!
//! `cargo bench -p spawnsafe-benches --bench compile_cost [-- ROUNDS]`; needs `size` of the binutils.
//!
//! Three libraries with the same functions of three plain parameters each are built again and again, in turns:
//! - `plain`: the functions;
//! - `codec`: beside each, by hand, what no library could save its user, as two processes must agree on bytes: one
//!   function that encodes the arguments, one that decodes them, calls and encodes the result, one that decodes that;
//! - `entries`: the functions with `#[child_entry]`, and for each a function that makes a call of it.
//!
//! What spawnsafe costs beyond its serde code is `entries` less `codec`. All is public and so compiled, but for what
//! is never called (`spawn` of an entry that is only `run`).

mod libraries;
#[allow(dead_code, reason = "times of one thing are not compared with those of another here")]
mod measure;

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use libraries::Libraries;
use measure::Times;

const ENTRIES: usize = 200;

/// Parameters: how a function declares one, what a child decodes, and how that is passed on.
const PARAMETERS: [(&str, &str, &str); 8] = [
    ("u64", "u64", ""),
    ("String", "String", ""),
    ("Vec<u32>", "Vec<u32>", ""),
    ("&str", "String", "&"),
    ("bool", "bool", ""),
    ("Option<String>", "Option<String>", ""),
    ("&[u8]", "Vec<u8>", "&"),
    ("(u32, f64)", "(u32, f64)", ""),
];

const RESULTS: [&str; 4] = ["usize", "String", "Vec<u64>", "Result<u32, String>"];

fn main() -> io::Result<()> {
    let rounds = measure::rounds(9);
    measure::print_machine();
    compare(rounds)?;
    measure::print_machine();
    Ok(())
}

fn compare(rounds: usize) -> io::Result<()> {
    let all = |function: fn(usize) -> String| (0..ENTRIES).map(function).collect();
    let names = ["plain", "codec", "entries"];
    let sources = [(names[0], all(plain)), (names[1], all(codec)), (names[2], all(entry))];
    let libraries = Libraries::new("build", sources)?;
    let costs = libraries.compile(rounds)?;
    println!("{ENTRIES} functions, {rounds} builds of each library; per function:\n");
    println!("{:<24} {:>10} {:>10} {:>10}", "", "wall ms", "cpu ms", "bytes");
    let per_entry = |times: &Times| times.quantile(0.5).as_secs_f64() * 1e3 / ENTRIES as f64;
    let mut rows = Vec::new();
    for (library, cost) in names.into_iter().zip(&costs) {
        let size = code_size(&libraries.archive(library))?;
        rows.push((library, [per_entry(&cost.wall), per_entry(&cost.cpu), size as f64 / ENTRIES as f64]));
    }
    let difference = |from: usize, less: usize| [0, 1, 2].map(|column| rows[from].1[column] - rows[less].1[column]);
    let differences = [("codec less plain", difference(1, 0)), ("entries less codec", difference(2, 1))];
    for (what, [wall, cpu, bytes]) in rows.iter().copied().chain(differences) {
        println!("{what:<24} {wall:>10.2} {cpu:>10.2} {bytes:>10.0}");
    }
    Ok(())
}

fn signature(index: usize) -> ([(&'static str, &'static str, &'static str); 3], &'static str) {
    let parameter = |nth: usize| PARAMETERS[(index + nth * (1 + index / PARAMETERS.len())) % PARAMETERS.len()];
    ([parameter(0), parameter(1), parameter(2)], RESULTS[index % RESULTS.len()])
}

fn plain(index: usize) -> String {
    let ([(a, ..), (b, ..), (c, ..)], result) = signature(index);
    let value = match result {
        "usize" => "size_of_val(&a)",
        "String" => "String::new()",
        "Vec<u64>" => "Vec::new()",
        _ => "Ok(1)",
    };
    format!("pub fn function{index}(a: {a}, b: {b}, c: {c}) -> {result} {{ let _ = (&a, b, c); {value} }}\n")
}

fn entry(index: usize) -> String {
    let ([(a, ..), (b, ..), (c, ..)], result) = signature(index);
    format!(
        "#[spawnsafe::child_entry]\n{}\
         pub fn call{index}(a: {a}, b: {b}, c: {c}) -> spawnsafe::Call<{result}> {{ function{index}::call(a, b, c) }}\n",
        plain(index)
    )
}

fn codec(index: usize) -> String {
    let (parameters, result) = signature(index);
    let (mut declared, mut encode, mut decode, mut given) = Default::default();
    for (name, (ty, owned, pass)) in ["a", "b", "c"].iter().zip(parameters) {
        let (declared, encode, decode, given): (&mut String, &mut String, &mut String, &mut String) =
            (&mut declared, &mut encode, &mut decode, &mut given);
        write!(declared, "{name}: {ty}, ").expect("a string takes all");
        // A reference is encoded through, an owned value by reference.
        let by = if ty.starts_with('&') { "" } else { "&" };
        write!(encode, "packer.value({by}{name}).ok()?; ").expect("a string takes all");
        write!(decode, "let {name}: {owned} = unpacker.value().ok()?; ").expect("a string takes all");
        write!(given, "{pass}{name}, ").expect("a string takes all");
    }
    format!(
        "{function}\
         pub fn encode{index}(packer: &mut spawnsafe::__private::Packer, {declared}) -> Option<()> {{ {encode} Some(()) }}\n\
         pub fn run{index}(unpacker: &mut spawnsafe::__private::Unpacker<'_>) \
         -> Option<spawnsafe::__private::Packed> {{\n\
         {decode} let mut packer = spawnsafe::__private::arguments_done(unpacker).ok()?;\n\
         packer.value(&function{index}({given})).ok()?; Some(packer.finish()) }}\n\
         pub fn decode{index}(unpacker: &mut spawnsafe::__private::Unpacker<'_>) -> Option<{result}> \
         {{ unpacker.value().ok() }}\n",
        function = plain(index)
    )
}

/// All that a program would load of the library: code and data, without information for a debugger.
fn code_size(archive: &Path) -> io::Result<u64> {
    let output = Command::new("size").arg(archive).output()?;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    // Each line after the first: text, data, bss, …
    let sizes = table.lines().skip(1).map(|line| {
        let columns = line.split_whitespace().take(3).map(|column| column.parse::<u64>());
        columns.sum::<Result<u64, _>>().map_err(io::Error::other)
    });
    sizes.sum()
}

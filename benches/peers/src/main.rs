//! Compares spawnsafe with what else runs functions in processes, in one run, and writes what it finds.
//!
//! ```text
//! cd benches/peers
//! pip install loky; npm install --prefix scripts piscina      # those two are left out otherwise
//! cargo run --release                                         # everything, 15 minutes
//! cargo run --release -- --quick                              # a third of the rounds, and only what takes little memory and time
//! ```

mod contestants;
mod entries;
mod measure;
mod report;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use contestants::Contestant;
use entries::Program;
use measure::{Question, Table, table};

const BEGIN: &str = "<!-- peers: begin -->";
const END: &str = "<!-- peers: end -->";

/// A table, whether more is better in it, and which of its columns are drawn.
struct Section {
    table: Table,
    higher_is_better: bool,
    drawn: Vec<usize>,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = |usual: usize| if is_quick { usual.div_ceil(3) } else { usual };
    let all = contestants::all();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // Whole gibibytes that are touched first, in twelve processes one after another, take their time.
    let heaps: &[u32] = if is_quick { &[] } else { &[1, 4] };
    let mut libraries = vec![entries::SPAWNSAFE];
    libraries.extend(contestants::includes(&all, "crossmist").then_some(entries::CROSSMIST));
    // First, as what does not build would end the run.
    let programs = if is_quick { Vec::new() } else { entries::programs(&libraries, 20) };
    let sections =
        vec![starts(&all, heaps, rounds), bursts(&all, rounds), pools(&all, rounds), payload(&all, rounds), idle(&all)];
    let how = if is_quick { " -- --quick" } else { "" };
    write(&text(&sections, &programs, how, &load), &sections);
}

fn starts(all: &[Contestant], heaps: &[u32], rounds: impl Fn(usize) -> usize) -> Section {
    let micros = |answer: f64| answer / 1000.0;
    let mut questions = vec![Question::new("small heap", "start 1", rounds(300), micros)];
    questions.extend(heaps.iter().map(|gib| {
        Question::new(format!("{gib} GiB touched"), "start 1", rounds(20), micros).after(format!("heap {gib}"))
    }));
    let table = table("From the start of a process to its result", "µs, less is better", all, questions);
    Section { table, higher_is_better: false, drawn: (0..=heaps.len()).step_by(2).collect() }
}

fn bursts(all: &[Contestant], rounds: impl Fn(usize) -> usize) -> Section {
    let questions = vec![Question::new("eight at a time", "burst 64", rounds(20), |answer| 64.0 / (answer / 1e9))];
    let table = table("Starts", "processes a second, more is better", all, questions);
    Section { table, higher_is_better: true, drawn: vec![0] }
}

fn pools(all: &[Contestant], rounds: impl Fn(usize) -> usize) -> Section {
    let per_second = |count: u64| move |answer: f64| count as f64 / (answer / 1e9);
    let mut questions: Vec<Question> = [(0, 50_000), (10, 20_000), (100, 4_000), (1_000, 400), (10_000, 60)]
        .map(|(micros, count)| {
            let column = if micros == 0 { "no work".to_owned() } else { format!("{micros} µs") };
            Question::new(column, format!("pool {micros} {count}"), rounds(10), per_second(count))
        })
        .into();
    questions.push(Question::new("one after another", "trip 1000", rounds(10), per_second(1000)));
    let table = table("Tasks on two workers that are there", "tasks a second, more is better", all, questions);
    Section { table, higher_is_better: true, drawn: vec![0, 5] }
}

fn payload(all: &[Contestant], rounds: impl Fn(usize) -> usize) -> Section {
    let mut questions = Vec::new();
    for (kind, name) in [("bytes", "bytes"), ("floats", "f64")] {
        for (len, size, count) in [(1 << 10, "1 KiB", 200), (1 << 20, "1 MiB", 10), (64 << 20, "64 MiB", 1)] {
            let megabytes = (2 * len * count) as f64 / 1e6;
            questions.push(Question::new(
                format!("{size} of {name}"),
                format!("{kind} {len} {count}"),
                rounds(10),
                move |answer| megabytes / (answer / 1e9),
            ));
        }
    }
    let table = table("Values there and back", "MB/s in both directions together, more is better", all, questions);
    Section { table, higher_is_better: true, drawn: vec![2, 5] }
}

fn idle(all: &[Contestant]) -> Section {
    let questions = vec![Question::new("an idle worker", "idle", 1, |answer| answer / 1e6)];
    let table = table("Memory", "MB, as a share of what is shared, less is better", all, questions);
    Section { table, higher_is_better: false, drawn: vec![] }
}

fn text(sections: &[Section], programs: &[Program], how: &str, load: &str) -> String {
    let mut text = format!(
        "{BEGIN}\n## Beside others\n`cd benches/peers && cargo run --release{how}`: one run, in which all take turns; medians. \
         Load when it began: {}. Bold is the best of those that start the program anew; the others copy the memory of a \
         process, or start none, and guarantee less. Payload goes through workers where there are some, and through a \
         process for each value where not.\n\n",
        load.split_whitespace().next().unwrap_or("unknown")
    );
    for section in sections {
        text += &report::markdown(&section.table, section.higher_is_better);
        for &column in &section.drawn {
            let (title, column) = (section.table.title, &section.table.columns[column]);
            _ = write!(text, "\n![{title}: {column}](plots/{})", file_name(title, column));
        }
        text += "\n\n";
    }
    if !programs.is_empty() {
        text += "### Entries that are only there\nRelease, stripped; the build is that of the program's own crate.\n\n\
                 | | entries | start to result, µs | build, s | bytes an entry |\n|---|---:|---:|---:|---:|\n";
        for program in programs {
            let least = programs.iter().find(|other| other.library == program.library).map_or(0, |least| least.bytes);
            _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.1} | {} |",
                program.library,
                program.entries,
                program.start,
                program.build_seconds,
                match program.entries {
                    10 => "–".to_owned(),
                    entries => ((program.bytes.saturating_sub(least)) / (entries as u64 - 10)).to_string(),
                }
            );
        }
    }
    text + END
}

fn file_name(title: &str, column: &str) -> String {
    let words = format!("{title} {column}").to_lowercase();
    let plain: String = words.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    plain.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-") + ".svg"
}

fn write(text: &str, sections: &[Section]) {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in `benches`");
    let plots = benches.join("plots");
    fs::create_dir_all(&plots).expect("`benches` can be written");
    for section in sections {
        for &column in &section.drawn {
            let name = file_name(section.table.title, &section.table.columns[column]);
            fs::write(plots.join(name), report::plot(&section.table, column)).expect("`benches` can be written");
        }
    }
    let file = benches.join("RESULTS.md");
    let old = fs::read_to_string(&file).expect("there are results");
    let new = match (old.find(BEGIN), old.find(END)) {
        (Some(begin), Some(end)) => format!("{}{text}{}", &old[..begin], &old[end + END.len()..]),
        _ => format!("{}\n\n{text}\n", old.trim_end()),
    };
    fs::write(&file, new).expect("`benches` can be written");
    println!("written to {}", file.display());
}

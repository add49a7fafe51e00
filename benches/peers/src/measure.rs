//! The rounds: in each, all contestants take turns, so that what else the machine does meets all alike.

use std::thread;
use std::time::Duration;

use crate::contestants::Contestant;

/// One table: for each contestant and each column the median of its rounds.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What a number is, and which is better.
    pub(crate) unit: &'static str,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) contestant: Contestant,
    /// `None` where it cannot.
    pub(crate) values: Vec<Option<f64>>,
}

/// One column: what is asked, and what the answer means.
pub(crate) struct Question {
    pub(crate) column: String,
    /// Asked once before the rounds.
    pub(crate) before: Option<String>,
    pub(crate) asked: String,
    /// From the answer to the number in the table.
    pub(crate) value: Box<dyn Fn(f64) -> f64>,
    pub(crate) rounds: usize,
    /// Whether all are there at once, or each for its turn only, since together they would need too much memory.
    pub(crate) together: bool,
}

impl Question {
    pub(crate) fn new(
        column: impl Into<String>,
        asked: impl Into<String>,
        rounds: usize,
        value: impl Fn(f64) -> f64 + 'static,
    ) -> Self {
        let (column, asked, value) = (column.into(), asked.into(), Box::new(value));
        Self { column, before: None, asked, value, rounds, together: true }
    }

    pub(crate) fn after(self, before: impl Into<String>) -> Self {
        Self { before: Some(before.into()), together: false, ..self }
    }
}

/// Asks all contestants all questions.
pub(crate) fn table(
    title: &'static str,
    unit: &'static str,
    contestants: &[Contestant],
    questions: Vec<Question>,
) -> Table {
    let mut rows: Vec<Row> =
        contestants.iter().map(|one| Row { contestant: one.clone(), values: Vec::new() }).collect();
    for question in &questions {
        println!("{title}: {}", question.column);
        let answers = if question.together { together(contestants, question) } else { in_turns(contestants, question) };
        for (row, answers) in rows.iter_mut().zip(answers) {
            row.values.push(answers.map(|answers| (question.value)(median(answers))));
        }
    }
    rows.retain(|row| row.values.iter().any(Option::is_some));
    Table { title, unit, columns: questions.into_iter().map(|question| question.column).collect(), rows }
}

fn together(contestants: &[Contestant], question: &Question) -> Vec<Option<Vec<f64>>> {
    let mut entered: Vec<_> = contestants.iter().map(Contestant::enter).collect();
    // The first one warms up, and tells who can.
    let mut answers: Vec<_> = entered.iter_mut().map(|one| one.ask(&question.asked).map(|_| Vec::new())).collect();
    for _ in 0..question.rounds {
        for (one, answers) in entered.iter_mut().zip(&mut answers) {
            if let Some(answers) = answers {
                answers.extend(one.ask(&question.asked));
            }
        }
    }
    answers
}

fn in_turns(contestants: &[Contestant], question: &Question) -> Vec<Option<Vec<f64>>> {
    /// How often each enters.
    const BLOCKS: usize = 2;
    /// What lies between two of its turns: about as long as those of the others take where all are there. Without it processes
    /// that were started ahead would be used up.
    const PAUSE: Duration = Duration::from_millis(100);
    let mut answers: Vec<Option<Vec<f64>>> = contestants.iter().map(|_| Some(Vec::new())).collect();
    for _ in 0..BLOCKS {
        for (one, answers) in contestants.iter().zip(&mut answers) {
            let Some(known) = answers else { continue };
            let mut entered = one.enter();
            if let Some(before) = &question.before {
                entered.ask(before);
            }
            if entered.ask(&question.asked).is_none() {
                *answers = None;
                continue;
            }
            for _ in 0..question.rounds.div_ceil(BLOCKS) {
                thread::sleep(PAUSE);
                known.extend(entered.ask(&question.asked));
            }
        }
    }
    answers
}

fn median(mut answers: Vec<f64>) -> f64 {
    answers.sort_by(f64::total_cmp);
    answers[answers.len() / 2]
}

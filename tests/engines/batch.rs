//! Batches, as far as no scheduler is needed: elements are run by this machine, or by a shell that stands for one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use spawnsafe::{
    Batch, Call, Error, ErrorKind, Handle, RemoteError, Scheduler, SpawnSafe, Stdio, child_entry, inherit,
};
use spawnsafe_tests::{DEADLINE, KillAll, KillOnDrop, eventually, is_running};
use tempfile::TempDir;

use super::{begins_and_waits, begins_and_waits_again, signal, square, written_ids};

/// Runs each element as a process in the background, as a scheduler would somewhere.
const SHELL: &str = "i=0; while [ $i -le {last} ]; do sh \"$0\" $i >/dev/null 2>&1 & i=$((i + 1)); done";

/// How long an element may be silent that is to be found lost. Longer than a busy machine keeps a thread waiting, and short
/// enough to wait for.
const SILENCE: Duration = Duration::from_secs(8);

fn shell() -> Scheduler {
    Scheduler::command(["sh", "-c", SHELL, "{script}"]).elements(4)
}

/// A scheduler that takes everything and starts nothing.
fn forgetful() -> Scheduler {
    Scheduler::command(["true"])
}

/// A directory for a batch, and others for what the test needs besides.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn batch(&self) -> PathBuf {
        self.0.path().join("batch")
    }

    fn file(&self, name: impl ToString) -> PathBuf {
        self.0.path().join(name.to_string())
    }

    fn create<R: SpawnSafe>(&self, calls: impl IntoIterator<Item = Call<R>>) -> Batch<R> {
        Batch::create(self.batch(), calls).unwrap()
    }
}

/// Waits until the batch is finished, and gives the results.
#[track_caller]
fn finished<R: SpawnSafe>(batch: &Batch<R>) -> Vec<Result<R, Error>> {
    let status = batch.wait(DEADLINE).unwrap();
    assert!(status.is_finished(), "{status}");
    let results: Vec<_> = batch.results().unwrap().collect();
    assert!(results.iter().map(|&(number, _)| number).eq(0..batch.len()), "each is there once");
    results.into_iter().map(|(_, result)| result).collect()
}

#[track_caller]
fn squares(batch: &Batch<u64>) {
    let values: Vec<u64> = finished(batch).into_iter().collect::<Result<_, _>>().unwrap();
    assert!(values.into_iter().eq((0..batch.len() as u64).map(|x| x * x)));
}

/// How often something has appended to the file.
fn runs(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

fn append(path: &Path) {
    fs::File::options().append(true).create(true).open(path).unwrap().write_all(b"x").unwrap();
}

#[test]
fn values_by_this_machine_and_by_a_command() {
    for scheduler in [Scheduler::local(2), shell()] {
        let place = Place::new();
        let batch = place.create((0..30).map(square::call));
        assert_eq!((batch.len(), batch.status().unwrap().waiting), (30, 30));
        let submitted = batch.submit(&scheduler).unwrap();
        assert_eq!(submitted.tasks, 30);
        assert!(submitted.name.starts_with("spawn") && submitted.name.ends_with("-1"), "{submitted:?}");
        squares(&batch);
        let again = Batch::<u64>::open(place.batch()).unwrap();
        squares(&again);
        assert_eq!(again.status().unwrap().to_string(), "30 of 30 tasks done, 0 failed, 0 lost, 0 running, 0 waiting");
        assert_eq!(again.submit(&scheduler).unwrap().tasks, 0);
        assert_eq!(again.resubmit(&scheduler).unwrap().tasks, 0);
        eventually("nothing is left beside them", || {
            (fs::read_dir(place.batch().join("answers")).unwrap().count() == 30).then_some(())
        });
    }
}

#[test]
fn none_at_all() {
    let place = Place::new();
    let batch = place.create([0_u64; 0].map(square::call));
    assert!(batch.is_empty() && batch.status().unwrap().is_finished());
    assert_eq!(batch.submit(&forgetful()).unwrap(), Default::default());
    assert!(finished(&batch).is_empty());
}

#[child_entry]
fn ends(how: u8) -> Result<u8, RemoteError> {
    println!("this is task {how}");
    match how {
        0 => Ok(0),
        1 => Err(RemoteError::msg("no")),
        2 => panic!("yes"),
        3 => std::process::exit(3),
        4 => std::process::abort(),
        _ => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
    }
}

#[test]
fn every_end_is_an_answer() {
    let place = Place::new();
    let calls =
        (0..6).map(|how| if how < 5 { ends::call(how) } else { ends::call(how).timeout(Duration::from_secs(1)) });
    let batch = place.create(calls);
    batch.submit(&shell().elements(2)).unwrap();
    let mut results = finished(&batch);
    let errors: Vec<Error> = results.drain(2..).map(Result::unwrap_err).collect();
    let kinds: Vec<ErrorKind> = errors.iter().map(Error::kind).collect();
    use ErrorKind::{Exited, Panicked, Signaled, TimedOut};
    assert_eq!(kinds, [Panicked, Exited, Signaled, TimedOut]);
    assert_eq!(errors[0].panic().unwrap().message(), "yes");
    assert_eq!(errors[1].exit_status().unwrap().code(), Some(3));
    for error in &errors {
        assert_eq!(error.entry(), Some(ends::NAME));
    }
    for loss in &errors[1..3] {
        assert!(loss.to_string().contains("attempt 1; ") && loss.to_string().contains("on_loss"), "{loss}");
    }
    assert!(matches!(results[0], Ok(Ok(0))));
    assert_eq!(results[1].as_ref().unwrap().as_ref().unwrap_err().to_string(), "no");
    let status = batch.status().unwrap();
    assert_eq!((status.done, status.failed, status.lost), (2, 4, 0));
    assert_eq!(batch.resubmit(&shell()).unwrap().tasks, 0, "an answer is never run twice");
    let printed = fs::read_to_string(place.batch().join("logs/1-0.log")).unwrap();
    assert!(printed.contains("this is task 0") && printed.contains("this is task 2"), "{printed}");
}

#[child_entry(on_loss = retry(2))]
fn dies_at_first(times: u64, path: &Path) -> u64 {
    append(path);
    let run = runs(path);
    if run <= times {
        std::process::abort();
    }
    run
}

#[test]
fn a_task_whose_process_dies_begins_again_as_often_as_it_may() {
    let place = Place::new();
    let batch = place.create((0..5).map(|times| dies_at_first::call(times, &place.file(times))));
    batch.submit(&shell()).unwrap();
    for (times, result) in (0..).zip(finished(&batch)) {
        match result {
            Ok(run) => assert!(times <= 2 && run == times + 1),
            Err(error) => {
                assert!(times > 2 && error.kind() == ErrorKind::Signaled, "{error}");
                assert!(error.to_string().contains("attempt 3"), "{error}");
            }
        }
        assert_eq!(runs(&place.file(times)), (times + 1).min(3));
    }
}

#[child_entry]
fn reverses(mut bytes: Vec<u8>, text: &str) -> (Vec<u8>, String) {
    bytes.reverse();
    (bytes, text.to_uppercase())
}

#[test]
fn long_values() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|x| x as u8).collect();
    let text = "abc".repeat(50_000);
    let batch = place.create((0..3).map(|_| reverses::call(bytes.clone(), &text)));
    batch.submit(&Scheduler::local(1)).unwrap();
    for result in finished(&batch) {
        let (reversed, upper) = result.unwrap();
        assert!(reversed.iter().eq(bytes.iter().rev()) && upper == text.to_uppercase());
    }
}

#[inherit]
static SETTING: OnceLock<String> = OnceLock::new();

#[child_entry]
fn surroundings() -> (Option<String>, Vec<String>, Vec<String>) {
    let own = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("SPAWNSAFE_BATCH"));
    (SETTING.get().cloned(), std::env::args().collect(), own.collect())
}

#[test]
fn statics_and_arguments_are_those_of_the_program() {
    let _ = SETTING.set("set here".into());
    let place = Place::new();
    let batch = place.create([surroundings::call(), surroundings::call()]);
    batch.submit(&shell()).unwrap();
    for result in finished(&batch) {
        assert_eq!(result.unwrap(), (Some("set here".into()), std::env::args().collect(), vec![]));
    }
}

#[child_entry]
fn length(file: Handle<fs::File>) -> u64 {
    file.metadata().unwrap().len()
}

#[child_entry]
fn opens() -> Handle<fs::File> {
    Handle::new(fs::File::open("/dev/null").unwrap())
}

#[test]
fn what_no_file_carries_is_refused_and_nothing_is_left() {
    let place = Place::new();
    let file = || Handle::new(fs::File::open("/dev/null").unwrap());
    let error = Batch::create(place.batch(), [length::call(file())]).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(length::NAME)));
    assert!(error.to_string().contains("`file`"), "{error}");
    let error = Batch::create(place.batch(), [square::call(1), square::call(2).stdout(Stdio::null())]).unwrap_err();
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("Call::stdout"), "{error}");
    assert!(!place.batch().exists());

    let batch = place.create([opens::call()]);
    batch.submit(&shell()).unwrap();
    let error = finished(&batch).pop().unwrap().unwrap_err();
    assert!(
        error.kind() == ErrorKind::Encode && error.to_string().contains("its result has an open handle"),
        "{error}"
    );
}

#[test]
fn a_directory_is_one_batch() {
    let place = Place::new();
    let error = Batch::<u64>::open(place.batch()).unwrap_err();
    assert!(error.kind() == ErrorKind::System && error.to_string().contains("`Batch::create` makes one"), "{error}");
    fs::create_dir(place.batch()).unwrap();
    drop(place.create([square::call(1)]));
    let error = Batch::create(place.batch(), [square::call(1)]).unwrap_err();
    assert!(error.kind() == ErrorKind::System && error.to_string().contains("`Batch::open`"), "{error}");
    let error = Batch::<f32>::open(place.batch()).unwrap_err();
    assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("`u64` and not `f32`"), "{error}");
    fs::remove_file(place.batch().join("calls")).unwrap();
    let error = Batch::<u64>::open(place.batch()).unwrap_err();
    assert!(error.to_string().contains("its calls are missing"), "{error}");
}

#[test]
fn what_the_scheduler_has_is_not_handed_over_again_and_what_it_has_lost_is() {
    let place = Place::new();
    let batch = place.create((0..3).map(square::call));
    assert_eq!(batch.submit(&forgetful()).unwrap().tasks, 3);
    assert_eq!(batch.submit(&forgetful()).unwrap().tasks, 0, "it may come yet");
    let there = forgetful().queue(["echo", "{name}"]);
    assert_eq!(batch.submit(&there).unwrap().tasks, 0);
    let error = batch.submit(&forgetful().queue(["spawnsafe-no-such-command"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    let lost = shell().queue(["false"]);
    assert_eq!(batch.submit(&lost).unwrap().tasks, 3);
    squares(&batch);
    assert_eq!(batch.wait(Duration::ZERO).unwrap().done, 3);
}

#[test]
fn a_scheduler_that_fails_says_why() {
    let place = Place::new();
    let batch = place.create([square::call(3)]);
    let failing = Scheduler::command(["sh", "-c", "echo no such partition >&2; exit 2", "{script}"]);
    let error = batch.submit(&failing).unwrap_err();
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("no such partition"), "{error}");
    let error = batch.submit(&Scheduler::command(["spawnsafe-no-such-command"])).unwrap_err();
    assert!(error.to_string().contains("is it installed here?"), "{error}");
    assert_eq!(batch.submit(&shell()).unwrap().tasks, 1);
    assert_eq!(finished(&batch).pop().unwrap().unwrap(), 9);
}

#[test]
fn elements_may_be_numbered_from_one() {
    let place = Place::new();
    let batch = place.create((0..7).map(square::call));
    let script = "for i in $(seq {count}); do SGE_TASK_ID=$i sh {script} & done >{logs}/all 2>&1";
    batch.submit(&Scheduler::command(["sh", "-c", script]).elements(3)).unwrap();
    squares(&batch);
    // One that there is not says so, and to whoever waits as well.
    let other = Place::new();
    let batch = other.create([square::call(1)]);
    batch.submit(&Scheduler::command(["sh", "-c", "sh {script} 5 2>/dev/null; exit 0"])).unwrap();
    let error = batch.wait(DEADLINE).unwrap_err();
    assert!(error.to_string().contains("`0-{last}`"), "{error}");
}

/// The task has begun in an element, whose ids are given: of the process of the task, and of the element.
struct Begun {
    batch: Batch<(u32, u32)>,
    task: u32,
    element: u32,
    /// Ends them when the test does.
    _processes: KillAll,
}

/// Two tasks for one element, the first of which has begun.
fn begun(place: &Place, may_run_again: bool) -> Begun {
    let (go_on, call) =
        (place.file("go on"), if may_run_again { begins_and_waits_again::call } else { begins_and_waits::call });
    let batch = place.create((0..2).map(|task| call(&place.file(task), &go_on)));
    assert_eq!(batch.submit(&shell().elements(1).heartbeat(SILENCE)).unwrap().elements, 1);
    let (task, element) = written_ids(&place.file(0));
    Begun { batch, task, element, _processes: KillAll(vec![task, element]) }
}

#[test]
fn an_element_that_is_killed_has_lost_its_task_and_no_other() {
    let place = Place::new();
    let Begun { batch, task, element, _processes } = begun(&place, false);
    let status = batch.wait(Duration::from_millis(20)).unwrap();
    assert_eq!((status.running, status.waiting), (1, 1));
    assert_eq!(batch.submit(&shell()).unwrap().tasks, 0, "somebody has them");
    assert_eq!(batch.resubmit(&shell()).unwrap().tasks, 0, "somebody has them");
    signal(element, libc::SIGKILL);
    eventually("the task ends with its element", || (!is_running(task)).then_some(()));
    eventually("it is found out", || (batch.status().unwrap().lost == 1).then_some(()));
    fs::write(place.file("go on"), "").unwrap();

    assert_eq!(batch.submit(&shell()).unwrap().tasks, 1, "the other one");
    let mut results = finished(&batch);
    assert!(results.pop().unwrap().is_ok());
    let error = results.pop().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Lost, Some(begins_and_waits::NAME)));
    let text = error.to_string();
    let node = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for part in ["task 0", "attempt 1", "on_loss", "Batch::resubmit", node.trim()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(batch.resubmit(&shell()).unwrap().tasks, 1);
    assert!(finished(&batch).into_iter().all(|result| result.is_ok()));
}

#[test]
fn a_task_that_may_begins_again_when_its_element_was_killed() {
    let place = Place::new();
    let Begun { batch, element, task: _, _processes } = begun(&place, true);
    signal(element, libc::SIGKILL);
    eventually("it is found out", || (batch.status().unwrap().running == 0).then_some(()));
    fs::write(place.file("go on"), "").unwrap();
    let mut tasks = 0;
    while !batch.wait(Duration::from_millis(200)).unwrap().is_finished() {
        tasks += batch.submit(&shell().queue(["false"])).unwrap().tasks;
    }
    assert_eq!(tasks, 2);
    assert!(finished(&batch).into_iter().all(|result| result.is_ok()));
}

/// As a scheduler does with the element of a node that it has lost.
#[test]
fn an_element_that_is_started_again_goes_on() {
    for may_run_again in [false, true] {
        let place = Place::new();
        let Begun { batch, element, task: _, _processes } = begun(&place, may_run_again);
        signal(element, libc::SIGKILL);
        fs::write(place.file("go on"), "").unwrap();
        let mut again = Command::new("sh");
        again.arg(place.batch().join("submissions/1.sh")).arg("0").env("SLURM_RESTART_COUNT", "1");
        let output = again.output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!may_run_again)), "{output:?}");
        let results = finished(&batch);
        assert_eq!(results[0].is_ok(), may_run_again);
        assert!(results[1].is_ok());
    }
}

#[test]
fn what_an_element_has_passed_over_can_be_resubmitted_while_it_runs() {
    let place = Place::new();
    let Begun { batch, element, task: _, _processes } = begun(&place, false);
    signal(element, libc::SIGKILL);
    let mut again = Command::new("sh");
    again.arg(place.batch().join("submissions/1.sh")).arg("0").env("SLURM_RESTART_COUNT", "1");
    let mut again = KillOnDrop(again.spawn().unwrap());
    written_ids(&place.file(1));
    eventually("it is found out", || (batch.status().unwrap().lost == 1).then_some(()));
    assert_eq!(batch.status().unwrap().running, 1);
    assert_eq!(batch.submit(&shell()).unwrap().tasks, 0);
    assert_eq!(batch.resubmit(&shell()).unwrap().tasks, 1);
    fs::write(place.file("go on"), "").unwrap();
    assert!(finished(&batch).into_iter().all(|result| result.is_ok()));
    again.0.wait().unwrap();
}

#[child_entry(on_loss = retry(5))]
fn counts(path: &Path) {
    append(path);
}

#[test]
fn elements_that_are_started_twice_run_their_tasks_once() {
    let place = Place::new();
    let batch = place.create((0..40).map(|task| counts::call(&place.file(task))));
    let twice = "for i in 0 1 2 0 1 2 0 1 2; do sh \"$0\" $i & done >\"$1\"/all 2>&1";
    batch
        .submit(&Scheduler::command(["sh", "-c", twice, "{script}", "{logs}"]).heartbeat(3 * SILENCE).elements(3))
        .unwrap();
    batch.resubmit(&shell()).unwrap();
    assert!(finished(&batch).into_iter().all(|result| result.is_ok()));
    let all: Vec<u64> = (0..40).map(|task| runs(&place.file(task))).collect();
    assert_eq!(all, [1; 40]);
}

#[test]
fn elements_end_when_their_directory_is_gone() {
    let place = Place::new();
    let Begun { batch, task, element, _processes } = begun(&place, false);
    fs::remove_dir_all(batch.path()).unwrap();
    eventually("they end", || (!is_running(task) && !is_running(element)).then_some(()));
}

#[test]
fn another_build_is_refused() {
    let place = Place::new();
    let batch = place.create([square::call(1)]);
    let calls = place.batch().join("calls");
    let mut bytes = fs::read(&calls).unwrap();
    // Behind the header of the first frame.
    bytes[16] ^= 1;
    fs::write(&calls, bytes).unwrap();
    let error = Batch::<u64>::open(place.batch()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildMismatch);
    batch.submit(&shell()).unwrap();
    let error = batch.wait(DEADLINE).unwrap_err();
    assert!(error.kind() == ErrorKind::BuildMismatch && error.to_string().contains("another build"), "{error}");
    let status = batch.status().unwrap();
    assert!(status.waiting == 1 && status.refused.unwrap().contains("another build"));
}

#[test]
fn damaged_files_are_errors() {
    let place = Place::new();
    let batch = place.create((0..4).map(square::call));
    batch.submit(&shell()).unwrap();
    squares(&batch);
    let answer = |task: usize| place.batch().join(format!("answers/{task}"));
    let whole = fs::read(answer(1)).unwrap();
    for len in 0..whole.len() {
        fs::write(answer(0), &whole[..len]).unwrap();
        let results: Vec<_> = Batch::<u64>::open(place.batch()).unwrap().results().unwrap().collect();
        let error = results[0].1.as_ref().unwrap_err();
        assert!(results.len() == 4 && error.kind() == ErrorKind::Protocol, "{len}: {error}");
    }
    fs::write(answer(0), &whole).unwrap();
    let error = batch.results().unwrap().next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains("that of another task"), "{error}");
    // Whoever removes it has it run again.
    fs::remove_file(answer(0)).unwrap();
    batch.resubmit(&shell()).unwrap();
    squares(&batch);
    assert_eq!(batch.status().unwrap().done, 4);

    for name in ["x", "1.new", "77", "-1"] {
        fs::write(place.batch().join("answers").join(name), "nonsense").unwrap();
        fs::write(place.batch().join("claims").join(name), "nonsense").unwrap();
        fs::write(place.batch().join("claims").join(name.to_owned() + ".1"), "nonsense").unwrap();
        fs::write(place.batch().join("submissions").join(name), "nonsense").unwrap();
        fs::write(place.batch().join("elements").join(name.to_owned() + ".0.1"), "nonsense").unwrap();
    }
    squares(&batch);
    assert_eq!(batch.submit(&shell()).unwrap().tasks, 0);

    let calls = place.batch().join("calls");
    let whole = fs::read(&calls).unwrap();
    for len in 0..whole.len() {
        fs::write(&calls, &whole[..len]).unwrap();
        assert_eq!(Batch::<u64>::open(place.batch()).unwrap_err().kind(), ErrorKind::Protocol, "{len}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x81;
        fs::write(&calls, &damaged).unwrap();
        // It may hit what nobody looks at.
        if let Ok(batch) = Batch::<u64>::open(place.batch()) {
            let _ = batch.results().map(Iterator::count);
        }
    }
}

#[test]
fn a_damaged_call_is_not_run() {
    let place = Place::new();
    let batch = place.create((0..2).map(square::call));
    let calls = place.batch().join("calls");
    let mut bytes = fs::read(&calls).unwrap();
    let name = bytes.windows(square::NAME.len()).position(|bytes| bytes == square::NAME.as_bytes()).unwrap();
    bytes[name] = 0xff;
    fs::write(&calls, bytes).unwrap();
    batch.submit(&shell().elements(1)).unwrap();
    let error = batch.wait(DEADLINE).unwrap_err();
    assert!(error.kind() == ErrorKind::Protocol && error.to_string().contains("one of its calls"), "{error}");
}

/// Of paths nothing is believed but that they are paths.
#[test]
fn any_directory() {
    let places = [tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir_in(".").unwrap()];
    let long = "long".repeat(50);
    for name in ["it's \"a\" $HOME `b`", "{name} {last} {script}", "50%a %% \\", " ; & | <>*?#~!ü\t", "-x", &long] {
        let [memory, here] = &places;
        let relative = Path::new(here.path().file_name().unwrap()).join(name);
        for (path, scheduler) in [
            (memory.path().join(name), shell()),
            (relative, shell()),
            (memory.path().join("local ".to_owned() + name), Scheduler::local(2)),
        ] {
            let batch = Batch::create(&path, (0..5).map(square::call)).unwrap();
            batch.submit(&scheduler).unwrap();
            squares(&batch);
            assert!(batch.path().is_absolute());
            assert_eq!(Batch::<u64>::open(&path).unwrap().status().unwrap().done, 5);
        }
    }
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"no \xff text");
    let batch = Batch::create(places[0].path().join(bytes), (0..5).map(square::call)).unwrap();
    batch.submit(&shell()).unwrap();
    squares(&batch);
}

/// A scheduler that gives no number, or a job that is in no array.
#[test]
fn an_element_without_a_number_says_so() {
    for number in ["", "SGE_TASK_ID=undefined LSB_JOBINDEX=0 "] {
        let place = Place::new();
        let batch = place.create([square::call(1)]);
        batch.submit(&Scheduler::command(["sh", "-c", &format!("{number} sh \"$0\"; exit 0"), "{script}"])).unwrap();
        let error = batch.wait(DEADLINE).unwrap_err();
        assert!(error.to_string().contains("no number of its element"), "{error}");
        let printed = fs::read_to_string(place.batch().join("logs/1-.log")).unwrap();
        assert!(printed.contains("no number of its element"), "{printed}");
    }
}

/// What a job is told must not get to the job that it submits, as some schedulers pass the environment on.
#[test]
fn a_job_may_submit_others() {
    let place = Place::new();
    let mut outer = program(&["batch-run".as_ref(), &place.batch()]);
    for name in ["HQ_TASK_ID", "SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "PBS_ARRAYID", "SLURM_RESTART_COUNT"] {
        outer.env(name, "3");
    }
    let inner = "i=1; while [ $i -le {count} ]; do LSB_JOBINDEX=$i sh \"$0\" & i=$((i + 1)); done";
    outer.env("SPAWNSAFE_SCHEDULER", format!("command:sh -c '{inner}' {{script}}"));
    assert_eq!(said(&mut outer), "140\n");
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The line of the guide for this scheduler.
pub(crate) fn documented(scheduler: &str) -> &'static str {
    let guide = include_str!("../../runtime/src/docs/clusters.md");
    let mut lines = guide.lines().skip_while(|line| *line != format!("# {scheduler}"));
    lines.nth(1).unwrap()
}

/// The lines of the guide, with scripts in the place of schedulers. Those take what the manuals say, and nothing else.
#[test]
fn the_lines_of_the_guide_are_what_schedulers_take() {
    let place = Place::new();
    let bin = place.file("bin");
    fs::create_dir(&bin).unwrap();
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/grid/fake");
    let schedulers = [
        ("Grid Engine", "grid"),
        ("PBS Pro, OpenPBS", "pbs"),
        ("Torque", "torque"),
        ("LSF", "lsf"),
        ("HyperQueue", "hq"),
    ];
    for (name, kind) in schedulers {
        for command in ["qsub", "qstat", "qselect", "bsub", "bjobs", "hq"] {
            fs::write(bin.join(command), format!("#!/bin/sh\nexec '{}' {kind} {command} \"$@\"\n", fake.display()))
                .unwrap();
            fs::set_permissions(bin.join(command), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let queue = place.file(kind);
        fs::create_dir(&queue).unwrap();
        for count in ["1", "8"] {
            let dir = place.file(format!("it's {kind} \"{count}\""));
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            let mut run = program(&["batch-run".as_ref(), &dir, count.as_ref()]);
            run.env("SPAWNSAFE_SCHEDULER", documented(name)).env("PATH", path).env("FAKE_QUEUE", &queue);
            let sum = if count == "1" { 0 } else { 140 };
            assert_eq!(said(&mut run), format!("{sum}\n"), "{name}");
        }
    }
}

/// As schedulers end a job: one process after another, and the element is not the first.
#[test]
fn a_task_that_is_killed_with_its_element_is_lost_and_has_no_answer() {
    for may_run_again in [false, true] {
        let place = Place::new();
        let Begun { batch, element, task, _processes } = begun(&place, may_run_again);
        signal(task, libc::SIGKILL);
        std::thread::sleep(Duration::from_millis(200));
        signal(element, libc::SIGKILL);
        eventually("it is found out", || (batch.status().unwrap().running == 0).then_some(()));
        let status = batch.status().unwrap();
        assert_eq!(
            (status.failed, status.lost, status.waiting),
            (0, usize::from(!may_run_again), 1 + usize::from(may_run_again))
        );
        // Nor has it begun again.
        let claims: Vec<_> =
            fs::read_dir(place.batch().join("claims")).unwrap().map(|claim| claim.unwrap().file_name()).collect();
        assert_eq!(claims, ["0.1"]);
    }
}

/// Its process dies where the task was believed to be lost, while it runs once more elsewhere.
#[test]
fn what_runs_again_is_not_spoiled_by_who_ran_it_before() {
    let place = Place::new();
    let Begun { batch, element, task, _processes } = begun(&place, false);
    signal(element, libc::SIGSTOP);
    eventually("it counts as lost", || (batch.status().unwrap().lost == 1).then_some(()));
    fs::remove_file(place.file(0)).unwrap();
    assert_eq!(batch.resubmit(&shell()).unwrap().tasks, 2);
    written_ids(&place.file(0));
    written_ids(&place.file(1));
    signal(task, libc::SIGKILL);
    signal(element, libc::SIGCONT);
    eventually("the first element ends", || (!is_running(element)).then_some(()));
    let status = batch.status().unwrap();
    assert_eq!((status.running, status.failed), (2, 0), "{status}");
    fs::write(place.file("go on"), "").unwrap();
    assert!(finished(&batch).into_iter().all(|result| result.is_ok()));
}

/// Whoever removes a directory and makes another batch there gets nothing of what still runs for the first one.
#[test]
fn an_element_does_not_go_on_in_another_batch() {
    let place = Place::new();
    let Begun { batch, task, element, _processes } = begun(&place, false);
    let script = place.file("script");
    fs::copy(place.batch().join("submissions/1.sh"), &script).unwrap();
    let dir = batch.path();
    signal(element, libc::SIGSTOP);
    fs::remove_dir_all(dir).unwrap();
    let other = Batch::create(dir, (0..2).map(square::call)).unwrap();
    other.submit(&forgetful()).unwrap();
    // So that the old one finds its own file's name.
    fs::write(dir.join("elements/1.0.1"), "spawnsafe element\nbatch 1\n").unwrap();
    fs::write(place.file("go on"), "").unwrap();
    signal(element, libc::SIGCONT);
    eventually("it ends", || (!is_running(task) && !is_running(element)).then_some(()));
    fs::remove_file(dir.join("elements/1.0.1")).unwrap();
    // The same for one that waited in a queue.
    let late = Command::new("sh").arg(&script).arg("0").output().unwrap();
    assert_eq!(late.status.code(), Some(1));
    let status = other.status().unwrap();
    assert_eq!((status.waiting, status.refused), (2, None));
    assert_eq!(fs::read_dir(dir.join("answers")).unwrap().count(), 0);
    other.resubmit(&shell()).unwrap();
    squares(&other);
}

/// A queue that is slow, a submitter that is not patient, and an element that was only believed to be lost.
#[test]
fn a_late_element_and_the_one_that_took_its_place() {
    let place = Place::new();
    let Begun { batch, element, task: _, _processes } = begun(&place, true);
    signal(element, libc::SIGSTOP);
    eventually("it counts as lost", || (batch.status().unwrap().running == 0).then_some(()));
    let first = written_ids(&place.file(0));
    fs::remove_file(place.file(0)).unwrap();
    assert_eq!(batch.submit(&shell().queue(["false"])).unwrap().tasks, 2);
    let second = written_ids(&place.file(0));
    assert_ne!(first, second);
    // Now both run it.
    signal(element, libc::SIGCONT);
    fs::write(place.file("go on"), "").unwrap();
    let results: Vec<(u32, u32)> = finished(&batch).into_iter().collect::<Result<_, _>>().unwrap();
    assert!(results[0] == first || results[0] == second);
    eventually("the late one ends", || (!is_running(element)).then_some(()));
    let again: Vec<(u32, u32)> = finished(&batch).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(again, results, "an answer stays");
}

fn program(arguments: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clusters"));
    command.args(arguments).env_remove("SPAWNSAFE_SCHEDULER");
    command
}

/// The program writes and submits its tasks, and is killed while they run; another one finds the results.
#[test]
fn tasks_outlive_the_program_that_has_submitted_them() {
    let place = Place::new();
    for scheduler in ["local:2".to_owned(), format!("command:sh -c '{SHELL}' {{script}}")] {
        let dir = place.batch();
        let mut start = program(&["batch-start".as_ref(), &dir]);
        let mut submitter = start.env("SPAWNSAFE_SCHEDULER", scheduler).spawn().unwrap();
        eventually("a task has begun", || fs::read_dir(dir.join("claims")).ok()?.next()?.ok());
        submitter.kill().unwrap();
        submitter.wait().unwrap();
        let output = program(&["batch-collect".as_ref(), &dir]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "12 of 12 tasks done, 0 failed, 0 lost, 0 running, 0 waiting\n33\n"
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn nothing_is_left_behind() {
    let place = Place::new();
    let output = program(&["batch-leaks".as_ref(), &place.batch()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nothing\n", "{output:?}");
}

#[test]
fn a_variable_that_makes_no_sense_is_refused() {
    for value in ["", "main", "main;1;x;2;n;/tmp", "main;1;1;2;n;relative"] {
        let output = program(&["batch-collect".as_ref()]).env("SPAWNSAFE_BATCH", value).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{value}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("remove it to run the program"), "{output:?}");
    }
}

/// In a file system of its own, which is small.
#[test]
fn a_full_disk() {
    let place = Place::new();
    let mount = "mount -t tmpfs -o size=1m none \"$1\" || exit 99; exec \"$0\" batch-full-disk \"$1\"";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", mount, env!("CARGO_BIN_EXE_clusters")]).arg(place.0.path());
    match command.output() {
        Ok(output) if output.status.success() => assert_eq!(String::from_utf8_lossy(&output.stdout), "as expected\n"),
        Ok(output) if output.status.code() == Some(101) => panic!("{output:?}"),
        other => println!("left out: no file system can be mounted here: {other:?}"),
    }
}

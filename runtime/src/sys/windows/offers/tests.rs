//! What is offered: that it arrives, once, and is kept no longer than that.

use std::fs::File;
use std::net::UdpSocket;

use super::*;

fn file() -> Arc<AnyHandle> {
    Arc::new(File::open(std::env::current_exe().unwrap()).unwrap().into())
}

fn udp() -> Arc<AnyHandle> {
    Arc::new(OwnedSocket::from(UdpSocket::bind("127.0.0.1:0").unwrap()).into())
}

/// How often it is kept.
fn times_kept(handle: &AnyHandle) -> usize {
    let count = match handle {
        AnyHandle::Handle(handle) => Arc::strong_count(handle),
        AnyHandle::Socket(socket) => Arc::strong_count(socket),
    };
    count - 1
}

/// That nobody but the test has it any more.
fn is_given_up(handle: &AnyHandle) {
    let limit = Instant::now() + Duration::from_secs(60);
    while times_kept(handle) > 0 {
        assert!(Instant::now() < limit, "it is still kept");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_fetched_or_taken_back_or_for_nobody_is_not_kept() {
    for one in [file(), udp()] {
        let (receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
        let pipe = Arc::new(pipe);
        let offered = || offer(&[Arc::clone(&one), Arc::clone(&one)], &pipe).unwrap();
        let numbers = offered().numbers;
        thread::sleep(Duration::from_millis(20));
        assert_eq!(times_kept(&one), 2);
        assert_eq!(fetch(Owner::this().unwrap(), &numbers).unwrap().len(), 2);
        is_given_up(&one);
        offered().take_back();
        is_given_up(&one);
        let kept = [offered(), offered()];
        assert_eq!(times_kept(&one), 4);
        drop(receiver);
        is_given_up(&one);
        drop(kept);
        offered();
        is_given_up(&one);
    }
}

#[test]
fn sockets_are_fetched_among_handles() {
    let (_receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
    let pipe = Arc::new(pipe);
    let all: Vec<_> = (0..250).map(|at| if at % 3 == 0 { udp() } else { file() }).collect();
    // Several at once, as several receivers would.
    let fetching = |numbers: Vec<u32>| thread::spawn(move || fetch(Owner::this().unwrap(), &numbers).unwrap());
    let fetching: Vec<_> = (0..3).map(|_| fetching(offer(&all, &pipe).unwrap().numbers)).collect();
    for fetched in fetching {
        let fetched = fetched.join().unwrap();
        let are_sockets = |handle: &AnyHandle| handle.socket().is_some();
        assert!(fetched.iter().map(are_sockets).eq((0..250).map(|at| at % 3 == 0)));
    }
    all.iter().for_each(|one| is_given_up(one));
}

#[test]
fn whoever_asks_as_another_process_gets_no_socket() {
    let (_receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
    let pipe = Arc::new(pipe);
    let this = Owner::this().unwrap();
    let asking = Operation::new().unwrap();
    for wrong in [request(Owner { began: this.began + 1, ..this }), request(Owner { id: 1, ..this }), [0xff; REQUEST]] {
        let one = udp();
        let offered = offer(&[Arc::clone(&one)], &pipe).unwrap();
        let desk = copy(&this.open().unwrap(), offered.numbers[1]).unwrap();
        asking.write_now(&desk, &wrong).unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        while pipe::available(&desk).unwrap() == Some(0) {
            assert!(Instant::now() < limit, "there is no answer");
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..2 {
            let answer = pipe::message_len(&desk).unwrap();
            assert_eq!(asking.read_now(&desk, &mut [0; socket::DESCRIPTION]).unwrap(), 1);
            assert_eq!(answer, 1);
        }
        assert_eq!(times_kept(&one), 1);
        // Who asks again gets no answer, whoever it is.
        assert!(fetch(this, &offered.numbers).is_none());
        is_given_up(&one);
    }
}

#[test]
fn whoever_asks_again_gets_no_answer() {
    let one = udp();
    let theirs = to_one(one.socket().cloned().into_iter().collect()).unwrap();
    let asking = Asking::at(theirs).unwrap();
    assert!(asking.next().is_some() && asking.next().is_none());
    asking.reading.write_now(&asking.pipe, &request(Owner::this().unwrap())).unwrap();
    is_given_up(&one);
    assert!(asking.next().is_none());
}

#[test]
fn what_is_for_one_process_is_kept_until_it_has_it_or_cannot_ask() {
    let one = udp();
    let socket = || one.socket().cloned();
    let offered = || to_one(socket().into_iter().chain(socket()).collect()).unwrap();
    let theirs = offered();
    thread::sleep(Duration::from_millis(20));
    assert_eq!(times_kept(&one), 2);
    // As a process would that has inherited it.
    let inherited = theirs.try_clone().unwrap();
    let asking = Asking::at(theirs).unwrap();
    assert!(asking.next().is_some() && asking.next().is_some());
    assert!(asking.next().is_none() && times_kept(&one) == 2);
    drop(asking);
    is_given_up(&one);
    assert!(Asking::at(inherited).is_none());
    drop(offered());
    is_given_up(&one);
}

#[test]
fn what_nobody_offers_is_not_there() {
    let (_receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
    let pipe = Arc::new(pipe);
    let this = Owner::this().unwrap();
    for one in [file(), udp()] {
        let offered = offer(&[one], &pipe).unwrap();
        assert!(fetch(Owner { began: this.began + 1, ..this }, &offered.numbers).is_none());
        assert!(fetch(Owner { id: 1, ..this }, &offered.numbers).is_none());
        for wrong in [0, 3, 0x7FFF_FFFC, u32::MAX, u32::MAX - 3] {
            assert!(fetch(this, &[wrong]).is_none());
            assert!(fetch(this, &[offered.numbers[0], wrong]).is_none());
            assert!(fetch(this, &[offered.numbers[0], wrong, 0]).is_none());
        }
        // The event is no place to ask for sockets.
        assert!(fetch(this, &[offered.numbers[0], offered.numbers[0], 0]).is_none());
    }
    assert!(fetch(this, &[]).is_none());
}

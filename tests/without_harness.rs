//! The same without the line: nothing is started, and the error says what to write.

#[test]
fn an_entry_of_a_library_needs_a_line() {
    let error = spawnsafe_tests::entries::adds::run(1, 2).unwrap_err();
    assert_eq!(error.kind(), spawnsafe::ErrorKind::NoProcessMain);
    assert!(error.to_string().contains("spawnsafe::test_harness!();"), "{error}");
}

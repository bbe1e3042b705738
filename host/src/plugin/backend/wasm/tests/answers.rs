//! Guests that do what they should.

use super::*;

#[test]
fn a_core_module_answers_with_output_and_with_errors_in_its_own_words() {
    let echo = Plugin::new(module("", ECHO)).open();
    assert_eq!(echo.process(b"to and fro"), Ok(b"to and fro".to_vec()));
    assert_eq!(echo.process(b""), Ok(Vec::new()));
    let refuses = Plugin::new(module("", ECHO_ERROR)).open();
    assert_eq!(refuses.process(b"no such name"), Err(PluginError::failed("no such name")));
    assert_eq!(refuses.description().name, "");
}

#[test]
fn a_component_says_what_it_is_and_answers_with_output_and_with_errors_in_its_own_words() {
    let echo = Plugin::new(component("", "", "", "(i32.const 16)")).open();
    assert_eq!(echo.process(b"to and fro"), Ok(b"to and fro".to_vec()));
    assert_eq!(echo.process(b""), Ok(Vec::new()));
    let description = echo.description();
    assert_eq!((&*description.name, &*description.version), ("tried", "0.1.2"));
    assert_eq!(description.capabilities, ["echo"]);
    let refuses = Plugin::new(component("", "", "", "(i32.store8 (i32.const 16) (i32.const 1)) (i32.const 16)")).open();
    assert_eq!(refuses.process(b"no such name"), Err(PluginError::failed("no such name")));
}

#[test]
fn many_threads_call_one_guest_at_once_and_each_gets_its_own_answer() {
    let echo = Plugin::new(module("", ECHO)).open();
    std::thread::scope(|scope| {
        for thread in 0..40_u32 {
            let echo = &echo;
            scope.spawn(move || {
                for call in 0..200_u32 {
                    let input = [thread.to_le_bytes(), call.to_le_bytes()].concat();
                    assert_eq!(echo.process(&input).as_deref(), Ok(&*input));
                }
            });
        }
    });
}

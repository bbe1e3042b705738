//! Programs that are kept running.

use super::{LONG, Plugin, await_file};
use crate::plugin::backend::{Description, Instance};
use pitstop_reloadable::PluginError;
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};

const ECHO: &str = r#"
def answer(request):
    result(request, request["params"]["input"])
"#;

/// Sends what breaks the interface, in place of the answer.
fn wrong(python: &str) -> PluginError {
    let plugin = Plugin::serving(&format!("\ndef answer(request):\n    {python}\n"));
    let instance = plugin.open();
    let error = instance.process(b"input").expect_err("an error");
    drop(instance);
    plugin.assert_none_is_left();
    error
}

fn assert_protocol(error: &PluginError, part: &str) {
    assert!(
        matches!(error, PluginError::Protocol { found, .. } if found.contains(part)),
        "{error} does not say {part}"
    );
}

/// Calls until the answer is of this kind; before, there are only errors of a process that has ended.
fn until_kind(instance: &dyn Instance, kind: &str) -> Result<Vec<u8>, PluginError> {
    let until = Instant::now() + Duration::from_secs(LONG.tv_sec.cast_unsigned());
    loop {
        let answer = instance.process(b"again");
        match &answer {
            Ok(_) if kind == "ok" => return answer,
            Err(error) if error.kind() == kind => return answer,
            Err(error) => {
                assert!(["exited", "signalled", "unavailable", "timed-out"].contains(&error.kind()), "{error}")
            }
            Ok(_) => panic!("an answer in place of {kind}"),
        }
        assert!(Instant::now() < until, "never {kind}: {answer:?}");
    }
}

#[test]
fn one_process_answers_all_calls() {
    let plugin = Plugin::serving(ECHO);
    let instance = plugin.open();
    for text in ["", "a", "two\nlines", "\"\\\u{0}\u{1f}ü€😀"] {
        assert_eq!(instance.process(text.as_bytes()), Ok(text.as_bytes().to_vec()));
    }
    instance.retire(Duration::from_secs(30));
    assert_eq!(plugin.pids("pids").len(), 1);
    plugin.assert_none_is_left();
}

#[test]
fn a_shell_script_can_serve() {
    let mut plugin = Plugin::script(
        "while read -r line; do\n\
         id=${line#*\\\"id\\\":}; id=${id%%,*}\n\
         case $line in\n\
         *describe*) echo \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":$id,\\\"error\\\":{\\\"code\\\":-32601,\\\"message\\\":\\\"\\\"}}\";;\n\
         *) echo \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":$id,\\\"result\\\":\\\"hello\\\"}\";;\n\
         esac\ndone",
    );
    plugin.spec.mode = crate::plugin::spec::Mode::Serve;
    assert_eq!(plugin.process(b"world"), Ok(b"hello".to_vec()));
    plugin.assert_none_is_left();
}

#[test]
fn a_description_is_an_answer() {
    let plugin = Plugin::serving(
        "\ndef describe(request):\n    result(request, {'name': 'g', 'version': '2', 'capabilities': ['a', 'b']})\n",
    );
    let described = Description {
        name: "g".to_owned(),
        version: "2".to_owned(),
        capabilities: ["a", "b"].map(str::to_owned).into(),
    };
    assert_eq!(plugin.open().description(), &described);
}

#[test]
fn bytes_that_are_no_text_travel_as_base64() {
    let plugin = Plugin::serving(
        "\nimport base64\ndef answer(request):\n    \
         data = base64.b64decode(request['params']['input_base64'])[::-1]\n    \
         result(request, {'output_base64': base64.b64encode(data).decode()})\n",
    );
    assert_eq!(plugin.process(b"\xff\xfe\0"), Ok(b"\0\xfe\xff".to_vec()));
}

#[test]
fn ten_mebibytes_go_in_and_out() {
    let plugin = Plugin::serving(ECHO);
    let input = vec![b'x'; 10 << 20];
    assert!(plugin.process(&input) == Ok(input));
}

#[test]
fn an_error_object_is_the_plugins_own_word() {
    assert_eq!(wrong("error(request, -1, 'too cold')"), PluginError::failed("too cold"));
    assert_eq!(wrong("error(request, -32601, 'what?')"), PluginError::Unsupported { verb: "process".to_owned() });
}

#[test]
fn a_line_that_is_no_response_is_quoted() {
    assert_protocol(&wrong("write('hello \\x1b[31m\\n')"), "`hello \\u{1b}[31m`");
    assert_protocol(&wrong("write('{\"jsonrpc\": \"2.0\"}\\n')"), "missing field `id`");
    assert_protocol(&wrong("sys.stdout.buffer.write(b'\\xff\\xff\\n'); sys.stdout.flush()"), "`\u{fffd}\u{fffd}`");
}

#[test]
fn an_answer_to_no_call_is_quoted() {
    assert_protocol(&wrong("result({'id': 4711}, '')"), "no call 4711 waits");
    assert_protocol(&wrong("write('{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":\"\"}\\n')"), "`{\"jsonrpc\"");
}

#[test]
fn a_second_answer_to_a_call_ends_the_process() {
    let plugin = Plugin::serving("\ndef answer(request):\n    result(request, 'once'); result(request, 'twice')\n");
    let instance = plugin.open();
    let first = instance.process(b"");
    assert!(matches!(&first, Ok(output) if output == b"once"), "{first:?}");
    while plugin.pids("pids").len() < 2 {
        let _ = instance.process(b"");
    }
    drop(instance);
    plugin.assert_none_is_left();
}

#[test]
fn a_result_that_is_no_output_is_quoted() {
    assert_protocol(&wrong("result(request, [1, 2])"), "`[1,2]`");
    assert_protocol(&wrong("result(request, {'output_base64': '*'})"), "no base64");
}

#[test]
fn half_a_line_at_the_end_is_quoted() {
    let error = wrong("write('{\"jsonrpc\":\"2.'); os._exit(5)");
    assert_protocol(&error, "`{\"jsonrpc\":\"2.`");
    assert_protocol(&error, "exit code 5");
}

#[test]
fn a_huge_line_and_a_huge_output_are_too_much() {
    let too_much = PluginError::TooMuchOutput { limit: 1000 };
    let process = |python: &str| {
        let plugin = Plugin::serving(&format!("\ndef answer(request):\n    {python}\n")).with_output(1000);
        let answer = plugin.process(b"");
        plugin.assert_none_is_left();
        answer
    };
    assert_eq!(process("while True: write('x' * 1000)"), Err(too_much.clone()));
    assert_eq!(process("result(request, 'x' * 1001)"), Err(too_much));
    assert_eq!(process("result(request, 'x' * 1000)").map(|output| output.len()), Ok(1000));
}

#[test]
fn a_process_that_dies_in_a_call_is_started_again() {
    let plugin = Plugin::serving(
        r#"
def answer(request):
    if request["params"]["input"] == "die":
        print("no more", file=sys.stderr)
        os._exit(3)
    if request["params"]["input"] == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    result(request, str(starts()))
"#,
    );
    let instance = plugin.open();
    assert_eq!(instance.process(b""), Ok(b"1".to_vec()));
    assert_eq!(instance.process(b"die"), Err(PluginError::Exited { code: 3, message: "no more".to_owned() }));
    assert_eq!(instance.process(b""), Ok(b"2".to_vec()), "the call waits for the new process");
    assert_eq!(instance.process(b"signal"), Err(PluginError::Signalled { signal: 9, message: String::new() }));
    assert_eq!(instance.process(b""), Ok(b"3".to_vec()));
    drop(instance);
    plugin.assert_none_is_left();
}

#[test]
fn a_call_that_had_to_wait_does_not_end_a_process_that_is_starting() {
    let plugin = Plugin::serving(
        "\nif starts() == 2: time.sleep(2.3)\ndef answer(request):\n    \
         if starts() == 1: os._exit(1)\n    result(request, request['params']['input'])\n",
    );
    let plugin = plugin.with_time(2000);
    let instance = plugin.open();
    let kind = |input: &[u8]| instance.process(input).map_err(|error| error.kind());
    assert_eq!(kind(b"first"), Err("exited"));
    assert_eq!(kind(b"second"), Err("timed-out"));
    assert_eq!(kind(b"third"), Ok(b"third".to_vec()));
    assert_eq!(plugin.pids("pids").len(), 2);
}

#[test]
fn a_process_that_dies_between_calls_comes_back() {
    let plugin = Plugin::serving(ECHO);
    let instance = plugin.open();
    kill_process(plugin.pids("pids")[0], Signal::KILL).expect("it runs");
    assert_eq!(until_kind(&*instance, "ok"), Ok(b"again".to_vec()));
    assert_eq!(plugin.pids("pids").len(), 2);
    drop(instance);
    plugin.assert_none_is_left();
}

#[test]
fn a_process_that_always_dies_is_given_up() {
    let plugin = Plugin::serving("\ndef answer(request):\n    os._exit(9)\nif starts() > 1: sys.exit('not today')\n");
    let instance = plugin.open();
    let error = until_kind(&*instance, "crash-loop").expect_err("an error");
    let last = "the plugin ended with exit code 1: not today".to_owned();
    assert_eq!(error, PluginError::CrashLoop { ends: 5, within: Duration::from_secs(10), last });
    assert_eq!(plugin.pids("pids").len(), 5);
    instance.retire(Duration::ZERO);
    plugin.assert_none_is_left();
}

#[test]
fn a_process_that_does_not_come_up_is_not_opened() {
    let failure = |body: &str| {
        let plugin = Plugin::serving(body).with_time(2000);
        let error = plugin.try_open().err().expect("an error");
        plugin.assert_none_is_left();
        error
    };
    assert_eq!(failure("sys.exit('broken')"), PluginError::Exited { code: 1, message: "broken".to_owned() });
    assert_eq!(failure("time.sleep(1000)").kind(), "timed-out");
    assert_eq!(failure("write('ready\\n')").kind(), "protocol");
    assert_eq!(failure("\ndef describe(request): error(request, 1, 'ill')\n"), PluginError::failed("ill"));
    assert_eq!(failure("\ndef describe(request): result(request, {'name': 1})\n").kind(), "protocol");
}

#[test]
fn a_program_that_is_gone_cannot_be_started() {
    let plugin = Plugin::serving(ECHO);
    let proven = plugin.prove().expect("a program");
    std::fs::remove_file(&plugin.file).expect("gone");
    let error = crate::plugin::backend::backend(plugin.spec.mechanism).open(&proven).err().expect("an error");
    assert_eq!(error.kind(), "not-started");
}

/// One call hangs, and others are with the same process.
const HANGS: &str = r#"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def answer(request):
    text = request["params"]["input"]
    if text == "hang":
        # So that the calls' times do not end together.
        time.sleep(0.5)
        open(folder + "/hangs", "w")
        threading.Event().wait()
    result(request, text)
"#;

#[test]
fn a_call_that_is_never_answered_ends_the_process_and_the_next_is_answered() {
    let plugin = Plugin::serving(HANGS).with_time(1500);
    let instance = plugin.open();
    let limit = Duration::from_millis(1500);
    assert_eq!(instance.process(b"hang"), Err(PluginError::TimedOut { limit }));
    // It ignores SIGTERM: until it was killed, calls say so when their time is over.
    assert_eq!(until_kind(&*instance, "ok"), Ok(b"again".to_vec()));
    assert_eq!(plugin.pids("pids").len(), 2);
    drop(instance);
    plugin.assert_none_is_left();
}

#[test]
fn a_call_that_shares_a_process_with_a_stuck_one_is_told_so() {
    let plugin = Plugin::serving(HANGS).with_time(1500);
    let instance = plugin.open();
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| instance.process(b"hang"));
        await_file(&plugin.path("hangs"));
        let other = instance.process(b"other");
        assert_eq!(stuck.join().expect("no panic").map_err(|error| error.kind()), Err("timed-out"));
        let error = other.expect_err("no answer");
        assert!(error.to_string().contains("another call took longer than 1.5s"), "{error}");
    });
}

#[test]
fn a_process_that_does_not_read_cannot_hold_a_call() {
    let plugin = Plugin::serving("\ndef answer(request):\n    result(request, ''); threading.Event().wait()\n");
    let plugin = plugin.with_time(1000);
    let instance = plugin.open();
    assert_eq!(instance.process(b""), Ok(Vec::new()));
    let answer = instance.process(&vec![b'x'; 1 << 20]);
    assert_eq!(answer.map_err(|error| error.kind()), Err("timed-out"));
    drop(instance);
    plugin.assert_none_is_left();
}

#[test]
fn a_process_that_closes_its_output_is_ended() {
    let error = wrong("os.close(1); threading.Event().wait()");
    assert_protocol(&error, "has closed it");
    assert_eq!(wrong("os.close(1); os._exit(6)").kind(), "exited");
}

#[test]
fn answers_come_in_any_order() {
    let plugin = Plugin::serving(
        r#"
held = []
def answer(request):
    held.append(request)
    if len(held) == 8:
        for request in reversed(held):
            result(request, request["params"]["input"])
        held.clear()
"#,
    );
    let instance = plugin.open();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let instance = &instance;
            scope.spawn(move || {
                for call in 0..50 {
                    let input = format!("{thread}.{call}").into_bytes();
                    assert_eq!(instance.process(&input), Ok(input));
                }
            });
        }
    });
    assert_eq!(plugin.pids("pids").len(), 1);
}

#[test]
fn eight_threads_with_long_lines_do_not_mix() {
    let plugin = Plugin::serving(ECHO);
    let instance = plugin.open();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let instance = &instance;
            scope.spawn(move || {
                let input = vec![b'a' + thread; 200_000];
                for _ in 0..10 {
                    assert!(instance.process(&input).as_ref() == Ok(&input));
                }
            });
        }
    });
}

#[test]
fn a_retired_process_may_finish_what_it_does() {
    let plugin =
        Plugin::serving(&format!("{ECHO}\nimport atexit\natexit.register(lambda: open(folder + '/saved', 'w'))\n"));
    let instance = plugin.open();
    instance.retire(Duration::from_secs(30));
    assert!(plugin.path("saved").exists());
    plugin.assert_none_is_left();
}

#[test]
fn a_retired_process_that_does_not_go_is_killed() {
    let body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nimport atexit\natexit.register(threading.Event().wait)\n\
                open(folder + '/children', 'w').write(str(subprocess.Popen(['sleep', '1000']).pid))\n";
    let plugin = Plugin::serving(&format!("{body}{ECHO}"));
    let instance = plugin.open();
    let started = Instant::now();
    instance.retire(Duration::from_millis(100));
    assert!(started.elapsed() >= Duration::from_millis(2100), "not before it had its time");
    plugin.assert_none_is_left();
}

#[test]
fn dropped_without_being_retired_it_is_killed_with_its_children() {
    let body = "open(folder + '/children', 'w').write(str(subprocess.Popen(['sleep', '1000']).pid))\n";
    let plugin = Plugin::serving(&format!("{body}{ECHO}"));
    drop(plugin.open());
    assert_eq!(plugin.pids("children").len(), 1);
    plugin.assert_none_is_left();
}

#[test]
fn the_environment_the_folder_and_the_memory_are_as_configured() {
    let plugin = Plugin::serving(
        "\nimport resource\ndef answer(request):\n    \
         result(request, ' '.join([os.environ['PITSTOP_PLUGIN'], os.environ.get('HOME', '-'), os.getcwd(), \
         str(resource.getrlimit(resource.RLIMIT_AS)[0]), str(sorted(map(int, os.listdir('/proc/self/fd')))[:3])]))\n",
    );
    let plugin = plugin.with_memory(1 << 30);
    let folder = plugin.folder.path().canonicalize().expect("a folder");
    let expected = format!("tried - {} 1073741824 [0, 1, 2]", folder.display());
    assert_eq!(plugin.process(b""), Ok(expected.into_bytes()));
}

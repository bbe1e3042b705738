;; The plugin in WebAssembly: mechanism `wasm`, a core module. `plugin.wasm` is made of it; a test compares both.
;;
;; One call at a time: the input lies behind the first page, and what is answered behind the input.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  ;; The other version is made by replacing this one word.
  (data (i32.const 16) "Hello, ")
  (data (i32.const 32) "no such verb")
  (data (i32.const 48) "files are denied to it")
  ;; 96 to 127: the digits of a number. 128: an open file. 132: how much was read. 136: where to read to, and how much.

  (func (export "pitstop_alloc") (param $length i32) (result i32)
    (if (call $has_room (local.get $length)) (then (return (i32.const 65536))))
    (i32.const 0))

  ;; Whether there is room for as much twice, and some more.
  (func $has_room (param $length i32) (result i32)
    (local $more i32)
    (if (i32.gt_u (local.get $length) (i32.const 0x40000000)) (then (return (i32.const 0))))
    (local.set $more
      (i32.sub
        (i32.add (i32.shr_u (i32.mul (local.get $length) (i32.const 2)) (i32.const 16)) (i32.const 4))
        (memory.size)))
    (if (i32.le_s (local.get $more) (i32.const 0)) (then (return (i32.const 1))))
    (i32.ne (memory.grow (local.get $more)) (i32.const -1)))

  ;; Verbs are told apart by their first four letters, the last of which comes first here.
  (func (export "pitstop_process") (param $at i32) (param $length i32) (result i64)
    (local $verb i32)
    (if (i32.lt_u (local.get $length) (i32.const 4)) (then (return (call $refused (i32.const 32) (i32.const 12)))))
    (local.set $verb (i32.load (local.get $at)))
    ;; echo:BYTES
    (if (i32.eq (local.get $verb) (i32.const 0x6f686365))
      (then (return (call $echo (local.get $at) (local.get $length)))))
    ;; greet:NAME
    (if (i32.eq (local.get $verb) (i32.const 0x65657267))
      (then (return (call $greet (i32.add (local.get $at) (i32.const 6)) (i32.sub (local.get $length) (i32.const 6))))))
    ;; kernel:SIZE
    (if (i32.eq (local.get $verb) (i32.const 0x6e72656b))
      (then
        (return
          (call $told
            (call $kernel
              (call $number (i32.add (local.get $at) (i32.const 7)) (i32.add (local.get $at) (local.get $length))))))))
    ;; read:FILE
    (if (i32.eq (local.get $verb) (i32.const 0x64616572))
      (then (return (call $read (i32.add (local.get $at) (i32.const 5)) (i32.sub (local.get $length) (i32.const 5))))))
    ;; crash: a write to memory that is nobody's
    (if (i32.eq (local.get $verb) (i32.const 0x73617263)) (then (i32.store (i32.const -16) (i32.const 1))))
    ;; loop
    (if (i32.eq (local.get $verb) (i32.const 0x706f6f6c)) (then (loop $again (br $again))))
    (call $refused (i32.const 32) (i32.const 12)))

  (func $answer (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))

  ;; The same as an error.
  (func $refused (param $at i32) (param $length i32) (result i64)
    (i64.or (call $answer (local.get $at) (local.get $length)) (i64.const 0x80000000)))

  ;; As the others do it: a copy.
  (func $echo (param $at i32) (param $length i32) (result i64)
    (local $to i32)
    (local.set $to (i32.add (local.get $at) (local.get $length)))
    (memory.copy (local.get $to) (local.get $at) (local.get $length))
    (call $answer (local.get $to) (local.get $length)))

  (func $greet (param $at i32) (param $length i32) (result i64)
    (local $to i32)
    (local.set $to (i32.add (local.get $at) (local.get $length)))
    (memory.copy (local.get $to) (i32.const 16) (i32.const 7))
    (memory.copy (i32.add (local.get $to) (i32.const 7)) (local.get $at) (local.get $length))
    (i32.store8 (i32.add (i32.add (local.get $to) (i32.const 7)) (local.get $length)) (i32.const 33))
    (call $answer (local.get $to) (i32.add (local.get $length) (i32.const 8))))

  ;; From the first folder that is granted, if there is one.
  (func $read (param $path i32) (param $length i32) (result i64)
    ;; Paths are relative to it.
    (if (i32.eq (i32.load8_u (local.get $path)) (i32.const 47))
      (then
        (local.set $path (i32.add (local.get $path) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))))
    (if
      (call $path_open (i32.const 3) (i32.const 0) (local.get $path) (local.get $length) (i32.const 0) (i64.const 2)
        (i64.const 0) (i32.const 0) (i32.const 128))
      (then (return (call $refused (i32.const 48) (i32.const 22)))))
    (i32.store (i32.const 136) (i32.const 66560))
    (i32.store (i32.const 140) (i32.const 65536))
    (if (call $fd_read (i32.load (i32.const 128)) (i32.const 136) (i32.const 1) (i32.const 132))
      (then (return (call $refused (i32.const 48) (i32.const 22)))))
    (call $answer (i32.const 66560) (i32.load (i32.const 132))))

  ;; A number from its digits.
  (func $number (param $at i32) (param $end i32) (result i32)
    (local $number i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $number
          (i32.add
            (i32.mul (local.get $number) (i32.const 10))
            (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $number))

  ;; And its digits, from the last to the first.
  (func $told (param $number i64) (result i64)
    (local $at i32)
    (local.set $at (i32.const 128))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i64.store8 (local.get $at) (i64.add (i64.rem_u (local.get $number) (i64.const 10)) (i64.const 48)))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $next (i64.ne (local.get $number) (i64.const 0))))
    (call $answer (local.get $at) (i32.sub (i32.const 128) (local.get $at))))

  ;; As in kernel.rs.
  (func $kernel (param $size i32) (result i64)
    (local $hash i64)
    (local $scale f64)
    (local $row i32)
    (local $column i32)
    (local.set $hash (i64.const 0xcbf29ce484222325))
    (local.set $scale (f64.div (f64.const 3) (f64.convert_i32_u (local.get $size))))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $row) (local.get $size)))
        (local.set $column (i32.const 0))
        (loop $columns
          (local.set $hash
            (i64.mul
              (i64.xor
                (local.get $hash)
                (i64.extend_i32_u
                  (call $steps
                    (f64.sub (f64.mul (f64.convert_i32_u (local.get $column)) (local.get $scale)) (f64.const 2))
                    (f64.sub (f64.mul (f64.convert_i32_u (local.get $row)) (local.get $scale)) (f64.const 1.5)))))
              (i64.const 0x100000001b3)))
          (local.set $column (i32.add (local.get $column) (i32.const 1)))
          (br_if $columns (i32.lt_u (local.get $column) (local.get $size))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $rows)))
    (local.get $hash))

  (func $steps (param $x0 f64) (param $y0 f64) (result i32)
    (local $x f64)
    (local $y f64)
    (local $xx f64)
    (local $yy f64)
    (local $step i32)
    (loop $next
      (local.set $xx (f64.mul (local.get $x) (local.get $x)))
      (local.set $yy (f64.mul (local.get $y) (local.get $y)))
      (if (f64.gt (f64.add (local.get $xx) (local.get $yy)) (f64.const 4)) (then (return (local.get $step))))
      (local.set $y
        (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $x)) (local.get $y)) (local.get $y0)))
      (local.set $x (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $x0)))
      (local.set $step (i32.add (local.get $step) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $step) (i32.const 200))))
    (i32.const 200)))

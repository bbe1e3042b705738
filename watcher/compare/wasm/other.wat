;; A component for a version of the interface that there is not; `other.wasm` is made of it.
(component
  (instance $guest)
  (export "pitstop:plugin/guest@0.9.0" (instance $guest)))

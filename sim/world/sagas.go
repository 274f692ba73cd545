package world

import "segue/saga"

// The services of a world. Steps of "reader" do nothing to the outside world;
// all others leave an effect, so each of theirs has an undo or is not undone
// because it is the pivot or comes behind it.
var services = []string{"reader", "writer", "mailer"}

// shapes are the sagas of a world, by the name that starts use.
var shapes = mustLoad(`
saga: linear
deadline: 10m
input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  fetch: {service: writer, with: {n: "${input.n}"}, timeout: 20s, retry: {attempts: 3, backoff: 200ms, max: 2s}, undo: {timeout: 15s, retry: {attempts: 3, backoff: 200ms, max: 2s}}}
  check: {service: reader, needs: [fetch], with: {from: "${steps.fetch.token}"}, timeout: 15s, undo: false}
  parse: {service: mailer, needs: [check], when: "${input.n % 3 != 0}", with: {from: "${steps.fetch.token}"}, timeout: 15s, undo: {retry: {attempts: 3, backoff: 200ms, max: 2s}}}
  save:  {service: writer, needs: [parse], with: {from: "${steps.?parse.?token.orValue(steps.fetch.token)}"}, timeout: 20s, undo: {timeout: 10s, retry: {attempts: 3, backoff: 200ms, max: 2s}}}
output: ${steps.save}
`, `
saga: diamond
deadline: 10m
input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  top:   {service: writer, with: {n: "${input.n}"}, timeout: 15s, undo: {retry: {attempts: 2, backoff: 100ms, max: 1s}}}
  left:  {service: writer, needs: [top], timeout: 15s, retry: {attempts: 2, backoff: 300ms, max: 1s}, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  right: {service: mailer, needs: [top], timeout: 12s, retry: {attempts: 2, backoff: 300ms, max: 1s}, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  far:   {service: reader, needs: [right], timeout: 12s, undo: false}
  end:   {service: writer, needs: [left, far], with: {l: "${steps.left.token}", r: "${steps.far.token}"}, timeout: 15s, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
`, `
saga: pivot
deadline: 5m
input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  hold: {service: writer, timeout: 15s, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  book: {service: mailer, when: "${input.n % 4 != 0}", timeout: 15s, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  pay:  {service: writer, needs: [hold, book], when: "${input.n % 5 != 0}", timeout: 15s, retry: {attempts: unlimited, backoff: 100ms, max: 1s}, pivot: true}
  ship: {service: mailer, needs: [pay], when: "${input.n % 2 != 0}", timeout: 15s, retry: {attempts: unlimited, backoff: 100ms, max: 1s}}
`, `
saga: patient
deadline: 30m
input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  long: {service: writer, timeout: 3m, retry: {attempts: 5, backoff: 1s, max: 10s}, undo: {timeout: 1m, retry: {attempts: 4, backoff: 1s, max: 10s}}}
  last: {service: mailer, needs: [long], timeout: 30s, retry: {attempts: 4, backoff: 1s, max: 10s}, undo: true}
`, `
saga: hasty
deadline: 8s
input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  one:   {service: writer, timeout: 4s, retry: {attempts: 4, backoff: 100ms, max: 500ms}, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  two:   {service: mailer, needs: [one], timeout: 4s, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
  three: {service: writer, needs: [two], timeout: 4s, undo: {retry: {attempts: 3, backoff: 100ms, max: 1s}}}
`)

// skips says whether a step of a world's sagas has nothing to do, as its when says
// again in other words: every how many starts that is.
func skips(saga, step string, number int) bool {
	every := map[string]int{"linear parse": 3, "pivot book": 4, "pivot pay": 5, "pivot ship": 2}[saga+" "+step]
	return every > 0 && number%every == 0
}

// hasEffect says whether a step changes the outside world.
func hasEffect(s saga.Step) bool { return s.Service != "reader" }

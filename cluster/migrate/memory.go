package migrate

import (
	"sync"

	"golang.org/x/sync/singleflight"
)

// maxRemembered bounds how many answers a memory keeps, each about a name of 1 KiB at the most: all are forgotten then.
const maxRemembered = 10_000

// memory keeps what a region answered to questions of one kind. However many rows need an answer at once, it is asked for
// once.
type memory[T any] struct {
	asking singleflight.Group
	mu     sync.Mutex
	known  map[string]answerOf[T]
}

// answerOf is what came of a question, for all who ask again.
type answerOf[T any] struct {
	value T
	fault *RowError
}

// ask answers from memory, or asks. A refusal is remembered like any answer; an error, which ends the run, is not.
func (m *memory[T]) ask(about string, question func() (T, error)) (T, *RowError, error) {
	if a, ok := m.recall(about); ok {
		return a.value, a.fault, nil
	}
	var a answerOf[T]
	answered, err, _ := m.asking.Do(about, func() (any, error) {
		if a, ok := m.recall(about); ok { // meanwhile
			return a, nil
		}
		value, err := question()
		refused, err := refusal(err)
		a := answerOf[T]{value, refused}
		if err == nil {
			m.remember(about, a)
		}
		return a, err
	})
	if err == nil {
		a = answered.(answerOf[T])
	}
	return a.value, a.fault, err
}

func (m *memory[T]) recall(about string) (answerOf[T], bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.known[about]
	return a, ok
}

func (m *memory[T]) remember(about string, a answerOf[T]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxRemembered {
		m.known = map[string]answerOf[T]{}
	}
	m.known[about] = a
}

package tiletree

import (
	"container/list"
	"sync"
)

// LRU is a bounded cache that forgets what was not used for the longest time. It
// is safe for concurrent use.
type LRU[K comparable, V any] struct {
	max int

	mu    sync.Mutex
	order list.List // of lruItem; the newest in front
	items map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

// NewLRU gives a cache of at most max values.
func NewLRU[K comparable, V any](max int) *LRU[K, V] {
	return &LRU[K, V]{max: max, items: make(map[K]*list.Element)}
}

// Get gives the value of a key, if it is there.
func (c *LRU[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(lruItem[K, V]).value, true
}

// Put sets the value of a key.
func (c *LRU[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		e.Value = lruItem[K, V]{key, value}
		c.order.MoveToFront(e)
		return
	}
	c.items[key] = c.order.PushFront(lruItem[K, V]{key, value})
	if c.order.Len() > c.max {
		last := c.order.Back()
		delete(c.items, c.order.Remove(last).(lruItem[K, V]).key)
	}
}

// Len gives the number of values.
func (c *LRU[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

package api

import "math"

// page is the part of a list that a request asks for. Numbers count from 1.
type page struct {
	number, size int64
}

// page reads PageNumber and PageSize, which are checked.
func (c *Call) page() page {
	return page{number: c.integer("PageNumber"), size: c.integer("PageSize")}
}

// offset is how many rows stand before the page.
func (p page) offset() int { return int(min((p.number-1)*p.size, math.MaxInt)) }

// answerPage adds the members that follow every list.
func (c *Call) answerPage(p page, total int) {
	c.Answer.Number("PageNumber", p.number)
	c.Answer.Number("PageSize", p.size)
	c.Answer.Number("TotalCount", int64(total))
}

// Package lease lets every server of a Raft region answer reads from its own
// replica without asking anybody, and never from before an acknowledged write.
//
// It is pure: it opens no socket, starts no goroutine and reads no clock but
// the one it is given. Its owner delivers messages, calls [Node.Renew] when
// [Node.NextRenewal] says so, and passes on what [Node.Await] releases.
//
// # Promise
//
// Once a write has been acknowledged, no server of the region answers from
// before it: a server has applied the write, or it refuses. While a write is
// in flight one server may already show it and another not yet. An answer that
// passed [Node.MayAnswer] may leave late if the process is paused after the
// check; its read then began before the write was acknowledged.
//
// # Idea
//
// A grant is complete in itself: an end and an index. It is sound whatever
// happens later, so it is never revoked and may be lost, doubled or late. A
// leader acknowledges a write only when every server that may still hold a
// grant has applied the write, or its grant has ended. A new leader assumes
// that every server of its configuration holds a grant of some older leader.
//
// # Rules
//
// Tests name the rule that they try. D is the length of a lease, m the margin
// for clocks that run at different rates, R the time between renewals.
//
//  1. Clock. All times are CLOCK_BOOTTIME of the server that uses them; no two
//     servers' clocks are compared. When wall and boot clock have moved apart
//     by more than m, the server drops its grants and outstanding renewals, a
//     leader its echoes as well. (clock.go)
//  2. Names. A renewal is named (start, seq): start is raised once a process,
//     seq once a renewal. A leader ignores a renewal that is not above the
//     newest it took from that server. (messages.go)
//  3. Renew. The holder reads its Raft term first and its clock before it
//     sends; a lease is counted from then, so it ends early, never late.
//     (holder.go)
//  4. Take. A grant counts only if the holder's Raft term, read after the
//     receipt, is the grant's. Several grants are kept side by side until they
//     end. (holder.go)
//  5. Authority. x is the quorum-th newest of the times that the voters of the
//     latest configuration echoed in this term, the leader itself counting as
//     now: at x no quorum had voted beyond this term. (authority.go)
//  6. Open. A leader grants and releases nothing before its barrier returned
//     in its term; all its state belongs to that one term. (table.go)
//  7. Grant. In this order: clock, leadership, x, the record that the server
//     may hold until x + D + m, the index c, the message. A server outside the
//     applied or the latest configuration, or marked leaving, gets a grant of
//     length 0, only to be echoed. (grant.go)
//  8. Serve. After the work, just before the answer: some grant has not ended
//     and the index of the view that was read is at or above its c. (holder.go)
//  9. Ack. A holder reports its applied index as soon as new views show it.
//  10. Release. The leader passes a result on when it has applied it and every
//     other server has acked it or may hold nothing. A write waits only in the
//     table of the term that its log entry carries. (release.go)
//  11. New leader. Every server of its applied configuration may hold until
//     won + D + m. (release.go)
//  12. Fast. The bound of rule 11 may start at the quorum-th oldest of the
//     times since when the voters have kept no grant of an older term.
//     (release.go)
//  13. Stop. A server that stops drops its grants and tells the leader.
//     (leave.go)
//  14. State goes forward: the owner never restores an older state.
//  15. Remove. A leader never removes itself; another only once it may hold
//     nothing, rule 11's assumption included. (leave.go)
//  16. Laggards. A grant has length only for a server that has applied what
//     the leader had applied when it answered the renewal before. (grant.go)
//  17. Restore by a user: the leader stops granting until nobody holds
//     anything. (leave.go)
//
// # Why it holds
//
// Let a server answer under the grant {end, c} of term T with authority x, from
// view v, and let write i have been released by the table of term T' before
// the read began.
//
//   - T' = T. If i was released before c was read, then c >= i and v >= i. Else
//     the release saw the grant's record: the server had acked i, so a view
//     opened later has it; or the record had ended, and the grant before it.
//   - T' > T. At x a quorum had not voted beyond T. The quorum that elected T'
//     shares a voter with it, so T' was won after x, and the grant ends before
//     won + D + m. The leader of T' knew the server and waited for its ack or
//     for that end. Under rule 12 the shared voter kept its grant at or after
//     x and said so after it had left T for good, so the bound is not below x.
//   - T' < T. Write i was committed before T's barrier, so c >= i and v >= i.
package lease

#pragma once

#include "gateway/board.h"

/// How what happens to a target changes what the workers of a node think of it. Values in, a change of the board out.
namespace cipherway::gateway {

enum class Turn { None, Up, Down };

/// One active check passed or failed. Only whoever holds the board's lease calls this. The first check decides alone;
/// after it, `rise` passes in a row bring a target up and `fall` failures in a row take it down.
Turn checked(Standing& standing, bool passed, unsigned rise, unsigned fall, Clock::time_point now,
             Clock::duration took);

/// What the last check said, unless it is too old: a target that nobody checks any more is taken for unchecked.
Health verdict(const Standing& standing, Clock::time_point now, Clock::duration valid);

/// Connecting to a target, or the handshake with it, failed. True: that was the last of `failures` in a row, and it is
/// left out for `duration` from now. When that is over, one more failure ejects it again. 0 failures: never.
bool connection_failed(Standing& standing, unsigned failures, Clock::time_point now, Clock::duration duration);
/// A connection came about. True: it had been ejected, and is no more.
bool connection_worked(Standing& standing, Clock::time_point now, Clock::duration duration);
bool is_ejected(const Standing& standing, Clock::time_point now, Clock::duration duration);

/// Since when a target has been getting connections.
Clock::time_point up_since(const Standing& standing, Clock::time_point now);

}  // namespace cipherway::gateway

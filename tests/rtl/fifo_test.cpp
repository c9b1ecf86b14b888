// systole_fifo against a queue; and the bench itself: a broken rule is a failure, not an
// abort.
#include <deque>

#include "Vfifo16.h"
#include "Vfifo2.h"
#include "bench.h"

using systole::Bench;
using systole::ForSeeds;
using systole::Random;

namespace {

template <class Top>
void Idle(Top &top) {
  top.clear_i = 0;
  top.push_i = 0;
  top.pop_i = 0;
  top.data_i = 0;
}

template <class Top>
void RandomTraffic(uint64_t seed, size_t depth) {
  Bench<Top> bench(seed);
  Random random(seed);
  Idle(bench.top());
  bench.Reset();
  const int in = random.Willingness(), out = random.Willingness();
  const bool clears = random.Percent(30);
  bool was_full = false;
  std::deque<uint8_t> inside;
  for (int cycle = 0; cycle < 600; cycle++) {
    bench->push_i = inside.size() < depth && random.Percent(in);
    bench->pop_i = !inside.empty() && random.Percent(out);
    bench->data_i = random.Bits() & 0xFF;
    bench->clear_i = clears && random.Percent(2);
    bench.Settle();
    SYSTOLE_CHECK(bench->count_o == inside.size(), "count_o is %d, %zu words are inside",
                  bench->count_o, inside.size());
    SYSTOLE_CHECK(bench->empty_o == inside.empty(), "empty_o is %d", bench->empty_o);
    SYSTOLE_CHECK(bench->full_o == (inside.size() == depth), "full_o is %d",
                  bench->full_o);
    was_full = was_full || bench->full_o;
    if (!inside.empty()) {
      SYSTOLE_CHECK(bench->data_o == inside.front(), "data_o is %d, expected %d",
                    bench->data_o, inside.front());
    }
    if (bench->pop_i) inside.pop_front();
    if (bench->push_i) inside.push_back(bench->data_i);
    if (bench->clear_i) inside.clear();
    bench.Edge();
  }
  SYSTOLE_CHECK(was_full || clears || in <= out, "the queue was never full");
}

}  // namespace

Test(fifo, is_a_queue_of_two) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vfifo2>(seed, 2); });
}

Test(fifo, is_a_queue_of_sixteen) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vfifo16>(seed, 16); });
}

Test(bench, a_failed_assertion_is_an_error_and_not_an_abort) {
  Bench<Vfifo2> bench(1);
  Idle(bench.top());
  bench.Reset();
  bench.ExpectAssertion();
  cr_assert_not(bench.assertion_failed());
  bench->pop_i = 1;  // from an empty queue
  bench.Settle();
  bench.Edge();
  cr_assert(bench.assertion_failed());
}

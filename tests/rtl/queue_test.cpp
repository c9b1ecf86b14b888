// systole_queue against a deque.
#include <deque>

#include "Vqueue2.h"
#include "Vqueue8.h"
#include "bench.h"

using namespace systole;

namespace {

template <class Top>
void RandomTraffic(uint64_t seed, size_t depth) {
  Bench<Top> bench(seed);
  Random random(seed);
  bench->push_i = bench->pop_i = bench->data_i = 0;
  bench.Reset();
  const int in = random.Willingness(), out = random.Willingness();
  std::deque<uint16_t> inside;
  for (int cycle = 0; cycle < 800; cycle++) {
    bench->push_i = inside.size() < depth && random.Percent(in);
    bench->pop_i = !inside.empty() && random.Percent(out);
    bench->data_i = random.Bits() & 0xFFFF;
    bench.Settle();
    SYSTOLE_CHECK(bench->valid_o == !inside.empty(), "valid_o is %d with %zu inside",
                  bench->valid_o, inside.size());
    SYSTOLE_CHECK(bench->full_o == (inside.size() == depth),
                  "full_o is %d with %zu inside", bench->full_o, inside.size());
    if (!inside.empty()) {
      SYSTOLE_CHECK(bench->head_o == inside.front(), "head_o is %x, expected %x",
                    bench->head_o, inside.front());
    }
    if (bench->pop_i) inside.pop_front();
    if (bench->push_i) inside.push_back(bench->data_i);
    bench.Edge();
  }
}

}  // namespace

Test(queue, is_a_queue_of_two) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vqueue2>(seed, 2); });
}
Test(queue, is_a_queue_of_eight) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vqueue8>(seed, 8); });
}

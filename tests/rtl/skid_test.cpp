// systole_skid: order, nothing lost, both sides from registers, one word a cycle.
#include <deque>
#include <string>

#include "Vskid130.h"
#include "Vskid8.h"
#include "bench.h"

using systole::Bench;
using systole::ForSeeds;
using systole::Random;

namespace {

template <class Top>
void Idle(Top &top) {
  top.clear_i = 0;
  top.valid_i = 0;
  top.ready_i = 0;
  std::memset(&top.data_i, 0, sizeof top.data_i);
}

// Bits of the word that exist; the port's storage may be wider.
template <class Top>
std::string Word(const void *data, int width) {
  std::string word(static_cast<const char *>(data), (width + 7) / 8);
  if (width % 8) word.back() = static_cast<char>(word.back() & ((1 << width % 8) - 1));
  return word;
}

template <class Top>
void RandomTraffic(uint64_t seed, int width) {
  Bench<Top> bench(seed);
  Random random(seed);
  Idle(bench.top());
  bench.Reset();
  const int in = random.Willingness(), out = random.Willingness();
  const bool clears = random.Percent(30);
  std::deque<std::string> inside;
  bool offering = false;
  for (int cycle = 0; cycle < 600; cycle++) {
    if (!offering && random.Percent(in)) {
      offering = true;
      random.Fill(&bench->data_i, (width + 7) / 8);
      if (width % 8) {
        uint8_t *last = reinterpret_cast<uint8_t *>(&bench->data_i) + width / 8;
        *last = static_cast<uint8_t>(*last & ((1 << width % 8) - 1));
      }
    }
    const bool valid = bench->valid_o, ready = bench->ready_o;
    const std::string word = Word<Top>(&bench->data_o, width);
    bench->valid_i = offering;
    bench->ready_i = random.Percent(out);
    bench->clear_i = clears && random.Percent(2);
    bench.Settle();
    SYSTOLE_CHECK(bench->valid_o == valid && bench->ready_o == ready &&
                      Word<Top>(&bench->data_o, width) == word,
                  "an output follows an input without a clock edge");
    SYSTOLE_CHECK(inside.empty() == !bench->valid_o, "%zu words inside, valid_o is %d",
                  inside.size(), bench->valid_o);
    SYSTOLE_CHECK((inside.size() < 2) == bench->ready_o,
                  "%zu words inside, ready_o is %d", inside.size(), bench->ready_o);
    if (bench->valid_o) {
      SYSTOLE_CHECK(word == inside.front(), "wrong word in cycle %d", cycle);
      if (bench->ready_i) inside.pop_front();
    }
    if (offering && bench->ready_o) {
      inside.push_back(Word<Top>(&bench->data_i, width));
      offering = false;
    }
    if (bench->clear_i) {
      inside.clear();
      offering = false;
    }
    bench.Edge();
  }
}

}  // namespace

Test(skid, keeps_order_under_back_pressure_narrow) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vskid8>(seed, 8); });
}

Test(skid, keeps_order_under_back_pressure_wide) {
  ForSeeds(60, [](uint64_t seed) { RandomTraffic<Vskid130>(seed, 130); });
}

Test(skid, passes_a_word_every_cycle) {
  Bench<Vskid8> bench(1);
  Idle(bench.top());
  bench.Reset();
  bench->valid_i = 1;
  bench->ready_i = 1;
  for (int cycle = 0; cycle < 256; cycle++) {
    bench->data_i = static_cast<uint8_t>(cycle);
    bench.Settle();
    cr_assert(bench->ready_o);
    cr_assert_eq(bench->valid_o, cycle > 0);
    if (cycle > 0) cr_assert_eq(bench->data_o, cycle - 1);
    bench.Edge();
  }
}

// systole_fetch: the program in order, no more asked for than there is room for.
#include "Vfetch16.h"
#include "Vfetch4.h"
#include "Vfetch64.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr unsigned kAhead = 8;  // instructions asked for and not yet taken, at most

template <class Top, unsigned kBytes>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), reader(UnitReadPinsOf(bench.top()), kBytes, &random) {
    bench->start_i = 0;
    bench->program_i = 0;
    bench->instructions_i = 0;
    bench->pop_i = 0;
    reader.most_wait = 0;
    bench.Reset();
  }

  void Cycle() {
    bench->pop_i = 0;
    reader.Drive();
    bench.Settle();
    bench->pop_i = bench->valid_o && random.Percent(pop_percent);
    bench.Settle();
    SYSTOLE_CHECK(reader.outstanding() * kBytes <= kAhead * SYSTOLE_INSTRUCTION_BYTES,
                  "too much is asked for");
    SYSTOLE_CHECK(bench->busy_o || popped == count, "not busy before the end");
    if (bench->valid_o) {
      SYSTOLE_CHECK(popped < count, "an instruction beyond the end");
      for (unsigned i = 0; i < SYSTOLE_INSTRUCTION_BYTES; i++) {
        SYSTOLE_CHECK(reinterpret_cast<const uint8_t *>(&bench->head_o)[i] ==
                          Background(program + popped * SYSTOLE_INSTRUCTION_BYTES + i),
                      "instruction %llu is wrong",
                      static_cast<unsigned long long>(popped));
      }
    }
    popped += bench->pop_i;
    SYSTOLE_CHECK(bench->index_o == index, "index_o is %u, expected %llu", bench->index_o,
                  static_cast<unsigned long long>(index));
    reader.Sample();
    if (bench->start_i) {
      index = 0;
      first_beat = reader.beats;
    } else if (reader.beats > first_beat) {
      index = (reader.beats - first_beat - 1) * kBytes / SYSTOLE_INSTRUCTION_BYTES;
    }
    bench.Edge();
    reader.Advance();
  }

  void Run(uint64_t first, uint64_t instructions) {
    program = first;
    popped = 0;
    bench->program_i = program;
    bench->instructions_i = static_cast<uint32_t>(instructions);
    bench->start_i = 1;
    count = 0;
    const uint64_t beats = reader.beats;
    Cycle();
    bench->start_i = 0;
    count = instructions;
    for (uint64_t begin = bench.cycle(); popped < count;) {
      SYSTOLE_CHECK(bench.cycle() - begin < 100000, "it does not come to an end");
      Cycle();
    }
    for (int i = 0; i < 3; i++) Cycle();
    SYSTOLE_CHECK(!bench->busy_o && !bench->valid_o, "busy_o stays");
    SYSTOLE_CHECK((reader.beats - beats) * kBytes == count * SYSTOLE_INSTRUCTION_BYTES,
                  "beats for %llu instructions", static_cast<unsigned long long>(count));
  }

  Bench<Top> bench;
  Random random;
  Reader reader;
  int pop_percent = 100;
  uint64_t program = 0, count = 0, popped = 0;
  uint64_t index = 0, first_beat = 0;
};

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.reader.req_percent = f.random.Willingness();
  f.reader.data_percent = f.random.Willingness();
  f.reader.latency = f.random.Between(1, 40);
  f.pop_percent = f.random.Willingness();
  for (int run = 0; run < 3; run++) {
    f.Run(f.random.Below(1 << 20) * 64, f.random.Between(1, 40));
  }
}

}  // namespace

Test(fetch, programs_under_back_pressure) {
  ForSeeds(40, RandomTraffic<Fixture<Vfetch4, 4>>);
  ForSeeds(40, RandomTraffic<Fixture<Vfetch16, 16>>);
  ForSeeds(40, RandomTraffic<Fixture<Vfetch64, 64>>);
}

// Reset in the middle of a program, as the kernel does after an error.
Test(fetch, a_reset_forgets_the_program) {
  ForSeeds(30, [](uint64_t seed) {
    Fixture<Vfetch16, 16> f(seed);
    f.pop_percent = 30;
    f.bench->program_i = 4096;
    f.bench->instructions_i = 100;
    f.bench->start_i = 1;
    f.Cycle();
    f.bench->start_i = 0;
    f.program = 4096;
    f.count = 100;
    for (uint64_t i = f.random.Below(100); i; i--) f.Cycle();
    f.bench->pop_i = 0;
    f.reader.Forget();
    f.bench.Reset();
    f.index = 0;
    f.Run(1 << 20, 10);
  });
}

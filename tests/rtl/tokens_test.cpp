// systole_tokens against 25 counters.
#include "Vtokens.h"
#include "bench.h"
#include "systole_isa.h"

using namespace systole;

namespace {
constexpr unsigned kUnits = SYSTOLE_UNITS;
constexpr unsigned kMost = (1 << SYSTOLE_TOKEN_BITS) - 1;
}  // namespace

Test(tokens, counters_of_every_pair) {
  ForSeeds(40, [](uint64_t seed) {
    Bench<Vtokens> bench(seed);
    Random random(seed);
    bench->done_i = bench->give_i = bench->accept_i = bench->wait_i = 0;
    bench.Reset();
    unsigned count[kUnits][kUnits] = {};  // [from][to]
    const int gives = static_cast<int>(random.Between(2, 60));
    bool overflows = false;
    for (int cycle = 0; cycle < 600; cycle++) {
      uint32_t give = 0, wait = 0, done = 0, accept = 0, missing = 0;
      for (unsigned u = 0; u < kUnits; u++) {
        give |= static_cast<uint32_t>(random.Below(1 << kUnits)) << kUnits * u;
        wait |= static_cast<uint32_t>(random.Below(1 << kUnits)) << kUnits * u;
        for (unsigned from = 0; from < kUnits; from++) {
          if ((wait >> (kUnits * u + from) & 1) && count[from][u] == 0) {
            missing |= 1u << (kUnits * u + from);
          }
        }
        done |= static_cast<uint32_t>(random.Percent(gives)) << u;
        // A unit takes its tokens when none is missing.
        const bool ready = (missing >> kUnits * u & ((1 << kUnits) - 1)) == 0;
        accept |= static_cast<uint32_t>(ready && random.Percent(30)) << u;
      }
      bench->done_i = done;
      bench->give_i = give;
      bench->accept_i = accept;
      bench->wait_i = wait;
      bench.Settle();
      SYSTOLE_CHECK(bench->missing_o == missing, "missing_o is %07x, expected %07x",
                    bench->missing_o, missing);
      SYSTOLE_CHECK(bench->overflow_o == overflows, "overflow_o is %d",
                    bench->overflow_o);
      overflows = false;
      for (unsigned from = 0; from < kUnits; from++) {
        for (unsigned to = 0; to < kUnits; to++) {
          const bool up = (done >> from & 1) && (give >> (kUnits * from + to) & 1);
          const bool down = (accept >> to & 1) && (wait >> (kUnits * to + from) & 1);
          if (up && !down && count[from][to] == kMost) overflows = true;
          count[from][to] = (count[from][to] + up - down) & kMost;
        }
      }
      bench.Edge();
      if (overflows) {  // the kernel stops here
        bench.Settle();
        SYSTOLE_CHECK(bench->overflow_o, "a lost token is not reported");
        return;
      }
    }
  });
}

Test(tokens, the_counter_holds_what_the_package_says_and_no_more) {
  Bench<Vtokens> bench(1);
  bench->done_i = bench->give_i = bench->accept_i = bench->wait_i = 0;
  bench.Reset();
  bench->done_i = 1;
  bench->give_i = 1 << 3;  // unit 0 to unit 3
  for (unsigned i = 0; i <= kMost; i++) {
    bench.Settle();
    cr_assert_not(bench->overflow_o, "after %u tokens", i);
    bench.Edge();
  }
  bench.Settle();
  cr_assert(bench->overflow_o);
}

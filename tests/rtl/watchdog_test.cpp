// systole_watchdog: one pulse after exactly Cycles cycles without progress, which it
// looks at a cycle later.
#include "Vwatchdog.h"
#include "bench.h"

using namespace systole;

Test(watchdog, counts_still_cycles_of_a_run) {
  ForSeeds(30, [](uint64_t seed) {
    Bench<Vwatchdog> bench(seed);
    Random random(seed);
    unsigned still = 0;
    bool timeout = false, moved = true;
    unsigned timeouts = 0;
    for (int cycle = -2; cycle < 3000; cycle++) {
      bench->run_i = cycle >= 0 && !random.Percent(1);
      bench->progress_i = random.Percent(3);
      bench->beat_i = random.Percent(2);
      bench.Settle();
      if (cycle >= 0) {
        SYSTOLE_CHECK(bench->timeout_o == timeout,
                      "timeout_o is %d after %u still cycles", bench->timeout_o, still);
        timeouts += timeout;
      }
      const bool counts = bench->run_i && !moved && !timeout;
      timeout = bench->run_i && !moved && still == 19;
      moved = bench->progress_i || bench->beat_i;
      still = counts ? still + 1 : 0;
      bench.Edge();
    }
    SYSTOLE_CHECK(timeouts > 5, "too little happened");
  });
}

// systole_ledger: the categories against a plain account of every cycle; together they
// are the cycles, always.
#include <vector>

#include "Vledger.h"
#include "bench.h"
#include "systole_isa.h"

using namespace systole;

namespace {
constexpr unsigned kBytes = 16;
}

Test(ledger, every_cycle_is_in_one_category) {
  ForSeeds(60, [](uint64_t seed) {
    Bench<Vledger> bench(seed);
    Random random(seed);
    bench->start_i = bench->run_i = 0;
    for (int run = 0; run < 3; run++) {
      uint64_t expected[SYSTOLE_COUNTERS] = {};
      const uint64_t length = random.Between(1, 400);
      const int active = random.Percent(20) ? 0 : static_cast<int>(random.Between(1, 95));
      std::vector<unsigned> waits;  // since the last row
      bool seen = false;
      for (uint64_t cycle = 0; cycle <= length; cycle++) {
        const bool start = cycle == 0;
        bench->start_i = start;
        bench->run_i = !start;
        // Nothing happens in the cycle of the start itself.
        bench->active_i = !start && cycle < length && random.Percent(active);
        bench->where_i = random.Below(5);
        bench->zero_valid_i = !start && random.Percent(40);
        bench->zero_macs_i = random.Below(256);
        bench->ub_read_i = !start && random.Percent(20);
        bench->ub_write_i = !start && random.Percent(20);
        bench->weight_i = !start && random.Percent(20);
        bench->acc_read_i = !start && random.Percent(20);
        bench->gmem0_read_i = !start && random.Percent(20);
        bench->gmem0_write_i = !start && random.Percent(20);
        bench->gmem1_read_i = !start && random.Percent(20);
        bench->instruction_i = !start && random.Percent(10);
        expected[SYSTOLE_COUNTER_CYCLES]++;
        if (bench->active_i) {
          expected[SYSTOLE_COUNTER_ACTIVE]++;
          for (unsigned where : waits) expected[SYSTOLE_COUNTER_OUTPUT_STALL + where]++;
          waits.clear();
          seen = true;
        } else if (!seen) {
          expected[SYSTOLE_COUNTER_START]++;
        } else {
          waits.push_back(bench->where_i);
        }
        if (bench->zero_valid_i)
          expected[SYSTOLE_COUNTER_ZERO_MACS] += bench->zero_macs_i;
        expected[SYSTOLE_COUNTER_UB_READS] += bench->ub_read_i + bench->active_i;
        expected[SYSTOLE_COUNTER_UB_WRITES] += bench->ub_write_i;
        expected[SYSTOLE_COUNTER_WEIGHT_ROWS] += bench->weight_i;
        expected[SYSTOLE_COUNTER_ACC_READS] += bench->acc_read_i;
        expected[SYSTOLE_COUNTER_GMEM0_READ_BYTES] += kBytes * bench->gmem0_read_i;
        expected[SYSTOLE_COUNTER_GMEM0_WRITE_BYTES] += kBytes * bench->gmem0_write_i;
        expected[SYSTOLE_COUNTER_GMEM1_READ_BYTES] += kBytes * bench->gmem1_read_i;
        expected[SYSTOLE_COUNTER_INSTRUCTIONS] += bench->instruction_i;
        bench.Settle();
        bench.Edge();
      }
      expected[SYSTOLE_COUNTER_DRAIN] = waits.size();
      bench->run_i = 0;
      for (uint64_t i = random.Between(2, 10); i;
           i--) {  // noise between runs counts nowhere
        bench->active_i = random.Percent(50);
        bench->gmem0_read_i = random.Percent(50);
        bench.Settle();
        bench.Edge();
      }
      uint64_t found[SYSTOLE_COUNTERS];
      std::memcpy(found, &bench->counters_o, sizeof found - sizeof found[0]);
      found[SYSTOLE_COUNTER_INSTRUCTIONS] = bench->instructions_o;
      uint64_t sum = 0;
      for (int i = 0; i < SYSTOLE_COUNTERS; i++) {
        SYSTOLE_CHECK(found[i] == expected[i],
                      "run %d: counter %d is %llu, expected %llu", run, i,
                      static_cast<unsigned long long>(found[i]),
                      static_cast<unsigned long long>(expected[i]));
        if (i >= SYSTOLE_COUNTER_ACTIVE && i <= SYSTOLE_COUNTER_OTHER) sum += found[i];
      }
      SYSTOLE_CHECK(sum == found[SYSTOLE_COUNTER_CYCLES] && sum == length + 1,
                    "the ledger's parts are %llu of %llu cycles",
                    static_cast<unsigned long long>(sum),
                    static_cast<unsigned long long>(length + 1));
    }
  });
}

// systole_control: the register map, and start, done and interrupt as Vitis defines
// ap_ctrl_hs.
#include <map>
#include <vector>

#include "Vcontrol.h"
#include "bench.h"
#include "systole_isa.h"

using namespace systole;

namespace {

// A host on the bus and a kernel that runs for `run_cycles`.
class Fixture {
 public:
  explicit Fixture(uint64_t seed) : bench(seed), random(seed) {
    bench->aw_valid_i = bench->w_valid_i = bench->ar_valid_i = 0;
    bench->b_ready_i = bench->r_ready_i = 0;
    bench->aw_addr_i = bench->ar_addr_i = 0;
    bench->w_data_i = 0;
    bench->w_strb_i = 0;
    bench->busy_i = bench->done_i = 0;
    bench->error_code_i = bench->error_unit_i = 0;
    bench->error_index_i = bench->error_detail_i = 0;
    std::memset(&bench->counters_i, 0, sizeof bench->counters_i);
    bench->dispatched_i = 0;
    bench.Reset();
  }

  // The kernel's side of every cycle.
  void Cycle() {
    bench->done_i = 0;
    if (left > 0 && --left == 0) bench->done_i = 1;
    bench->busy_i = (shows_busy && left > 0) || blocked;
    bench.Settle();
    if (bench->start_o) {
      SYSTOLE_CHECK(!running, "start_o during a run");
      starts++;
      left = run_cycles;
      running = true;
    }
    if (bench->done_i) running = false;
    CheckHolds();
    bench.Edge();
  }

  void Write(unsigned address, uint32_t data, unsigned strobe = 15) {
    uint64_t address_at = random.Below(stall), data_at = random.Below(stall);
    uint64_t answer_at = random.Below(stall);
    bool address_in = false, data_in = false;
    for (int cycle = 0;; cycle++) {
      SYSTOLE_CHECK(cycle < 100, "a write of %03x gets no answer", address);
      bench->aw_valid_i = !address_in && address_at == 0;
      bench->aw_addr_i = bench->aw_valid_i ? address : random.Bits() & 0xFFF;
      bench->w_valid_i = !data_in && data_at == 0;
      bench->w_data_i = bench->w_valid_i ? data : static_cast<uint32_t>(random.Bits());
      bench->w_strb_i = bench->w_valid_i ? strobe : random.Bits() & 15;
      bench->b_ready_i = address_in && data_in && answer_at == 0;
      bench.Settle();
      const bool address_now = bench->aw_valid_i && bench->aw_ready_o;
      const bool data_now = bench->w_valid_i && bench->w_ready_o;
      const bool answer = bench->b_valid_o && bench->b_ready_i;
      SYSTOLE_CHECK(!bench->b_valid_o || (address_in && data_in), "answered too early");
      SYSTOLE_CHECK(!bench->b_valid_o || bench->b_resp_o == 0, "a write is not OKAY");
      Cycle();
      address_in |= address_now;
      data_in |= data_now;
      address_at -= address_at > 0;
      data_at -= data_at > 0;
      if (address_in && data_in) answer_at -= answer_at > 0;
      if (answer) break;
    }
    bench->aw_valid_i = bench->w_valid_i = bench->b_ready_i = 0;
  }

  uint32_t Read(unsigned address) {
    uint64_t address_at = random.Below(stall), answer_at = random.Below(stall);
    bool address_in = false;
    uint32_t data = 0;
    for (int cycle = 0;; cycle++) {
      SYSTOLE_CHECK(cycle < 100, "a read of %03x gets no answer", address);
      bench->ar_valid_i = !address_in && address_at == 0;
      bench->ar_addr_i = bench->ar_valid_i ? address : random.Bits() & 0xFFF;
      bench->r_ready_i = address_in && answer_at == 0;
      bench.Settle();
      const bool address_now = bench->ar_valid_i && bench->ar_ready_o;
      const bool answer = bench->r_valid_o && bench->r_ready_i;
      if (bench->r_valid_o) {
        SYSTOLE_CHECK(address_in, "answered too early");
        SYSTOLE_CHECK(bench->r_resp_o == 0, "a read is not OKAY");
        data = bench->r_data_o;
      }
      Cycle();
      address_in |= address_now;
      address_at -= address_at > 0;
      if (address_in) answer_at -= answer_at > 0;
      if (answer) break;
    }
    bench->ar_valid_i = bench->r_ready_i = 0;
    return data;
  }

  void Expect(unsigned address, uint32_t expected) {
    const uint32_t found = Read(address);
    SYSTOLE_CHECK(found == expected, "register %03x is %08x, expected %08x", address,
                  found, expected);
  }

  void SetCounter(unsigned index, uint64_t value) {
    if (index == SYSTOLE_COUNTER_INSTRUCTIONS) {
      bench->dispatched_i = value;
    } else {
      std::memcpy(reinterpret_cast<uint8_t *>(&bench->counters_i) + 8 * index, &value, 8);
    }
  }

  Bench<Vcontrol> bench;
  Random random;
  uint64_t stall = 5;  // a side of the bus waits for less than this many cycles
  int run_cycles = 20, left = 0;
  bool running = false, blocked = false, shows_busy = true;
  int starts = 0;

 private:
  void CheckHolds() {
    if (b_waits_) SYSTOLE_CHECK(bench->b_valid_o, "B vanished");
    if (r_waits_) {
      SYSTOLE_CHECK(bench->r_valid_o && bench->r_data_o == r_data_,
                    "R changed or vanished");
    }
    b_waits_ = bench->b_valid_o && !bench->b_ready_i;
    r_waits_ = bench->r_valid_o && !bench->r_ready_i;
    r_data_ = bench->r_data_o;
  }
  bool b_waits_ = false, r_waits_ = false;
  uint32_t r_data_ = 0;
};

enum { kStart = 1, kDone = 2, kIdle = 4, kReady = 8 };

const unsigned kArguments[] = {SYSTOLE_REG_PROGRAM,     SYSTOLE_REG_PROGRAM + 4,
                               SYSTOLE_REG_WEIGHTS,     SYSTOLE_REG_WEIGHTS + 4,
                               SYSTOLE_REG_ACTIVATIONS, SYSTOLE_REG_ACTIVATIONS + 4,
                               SYSTOLE_REG_INSTRUCTIONS};

}  // namespace

Test(control, says_what_it_was_built_as) {
  Fixture f(1);
  f.Expect(SYSTOLE_REG_IDENTITY, SYSTOLE_IDENTITY_VALUE);
  f.Expect(SYSTOLE_REG_VERSION, SYSTOLE_ISA_VERSION | SYSTOLE_RTL_VERSION << 8);
  f.Expect(SYSTOLE_REG_GEOMETRY, 5 | 4 << 8 | 1 << 16 | 1 << 24);
  f.Expect(SYSTOLE_REG_UB_ROWS, 8192);
  f.Expect(SYSTOLE_REG_ACC_ROWS, 1024);
  f.Expect(SYSTOLE_REG_WEIGHT_TILES, 8);
  f.Expect(SYSTOLE_REG_FEATURES, 2);
  f.Expect(SYSTOLE_REG_WATCHDOG, 12345);
}

Test(control, arguments_take_byte_strobes_and_reach_the_kernel) {
  ForSeeds(30, [](uint64_t seed) {
    Fixture f(seed);
    std::map<unsigned, uint32_t> model;
    for (int i = 0; i < 40; i++) {
      const unsigned address = kArguments[f.random.Below(7)];
      const uint32_t data = static_cast<uint32_t>(f.random.Bits());
      const unsigned strobe = f.random.Percent(50) ? 15 : f.random.Below(16);
      f.Write(address + f.random.Below(4), data, strobe);
      for (unsigned k = 0; k < 4; k++) {
        const uint32_t lane = 0xFFu << 8 * k;
        if (strobe >> k & 1) model[address] = (model[address] & ~lane) | (data & lane);
      }
      if (f.random.Percent(50)) f.Expect(address, model[address]);
    }
    for (unsigned address : kArguments) f.Expect(address, model[address]);
    const auto pointer = [&](unsigned at) {
      return model[at] | static_cast<uint64_t>(model[at + 4]) << 32;
    };
    SYSTOLE_CHECK(f.bench->program_o == pointer(SYSTOLE_REG_PROGRAM), "program_o");
    SYSTOLE_CHECK(f.bench->weights_o == pointer(SYSTOLE_REG_WEIGHTS), "weights_o");
    SYSTOLE_CHECK(f.bench->activations_o == pointer(SYSTOLE_REG_ACTIVATIONS),
                  "activations_o");
    SYSTOLE_CHECK(f.bench->instructions_o == model[SYSTOLE_REG_INSTRUCTIONS],
                  "instructions_o");
    SYSTOLE_CHECK(f.starts == 0, "an argument started the kernel");
  });
}

Test(control, read_only_and_unmapped_addresses_ignore_writes) {
  Fixture f(1);
  std::map<unsigned, uint32_t> before;
  for (unsigned address = 0; address < 4096; address += 4)
    before[address] = f.Read(address);
  for (unsigned address = SYSTOLE_REG_INSTRUCTIONS + 4; address < 4096; address += 4) {
    f.Write(address, 0xFFFFFFFF);
  }
  for (unsigned address = 0; address < 4096; address += 4) {
    f.Expect(address, before[address]);
  }
  for (unsigned address = SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTERS; address < 4096;
       address += 4) {
    cr_assert_eq(before[address], 0);
  }
  cr_assert_eq(f.starts, 0);
}

Test(control, counters_and_errors_are_read_where_the_map_says) {
  ForSeeds(5, [](uint64_t seed) {
    Fixture f(seed);
    uint64_t values[SYSTOLE_COUNTERS];
    for (unsigned i = 0; i < SYSTOLE_COUNTERS; i++) {
      values[i] = f.random.Bits();
      f.SetCounter(i, values[i]);
    }
    f.bench->error_code_i = 9;
    f.bench->error_unit_i = 4;
    f.bench->error_index_i = 0x89ABCDEF;
    f.bench->error_detail_i = 0xFEDCBA98;
    for (unsigned i = 0; i < SYSTOLE_COUNTERS; i++) {
      f.Expect(SYSTOLE_REG_COUNTERS + 8 * i, static_cast<uint32_t>(values[i]));
      f.Expect(SYSTOLE_REG_COUNTERS + 8 * i + 4, static_cast<uint32_t>(values[i] >> 32));
    }
    f.Expect(SYSTOLE_REG_ERROR_CODE, 9 | 4 << 8);
    f.Expect(SYSTOLE_REG_ERROR_INDEX, 0x89ABCDEF);
    f.Expect(SYSTOLE_REG_ERROR_DETAIL, 0xFEDCBA98);
  });
}

Test(control, a_run_from_start_to_done) {
  ForSeeds(30, [](uint64_t seed) {
    Fixture f(seed);
    f.run_cycles = 60;
    f.Expect(SYSTOLE_REG_CONTROL, kIdle);
    for (int run = 1; run <= 3; run++) {
      f.Write(SYSTOLE_REG_CONTROL, 1, 14);  // without the strobe of the byte: nothing
      f.Write(SYSTOLE_REG_CONTROL, 0);
      for (int i = 0; i < 3; i++) f.Cycle();
      SYSTOLE_CHECK(f.starts == run - 1, "started without being asked to");
      f.Write(SYSTOLE_REG_CONTROL, kStart);
      for (int i = 0; i < 3; i++) f.Cycle();
      SYSTOLE_CHECK(f.starts == run, "%d starts in run %d", f.starts, run);
      f.Expect(SYSTOLE_REG_CONTROL, 0);  // accepted, not idle, not done
      while (f.running) f.Cycle();
      f.Expect(SYSTOLE_REG_CONTROL, kDone | kIdle | kReady);
      f.Expect(SYSTOLE_REG_CONTROL, kIdle);  // the read has cleared it
    }
  });
}

static void StartDuringARun(bool shows_busy) {
  Fixture f(1);
  f.shows_busy = shows_busy;
  f.run_cycles = 200;
  f.Write(SYSTOLE_REG_CONTROL, kStart);
  for (int i = 0; i < 3; i++) f.Cycle();
  f.Write(SYSTOLE_REG_CONTROL, kStart);
  f.Expect(SYSTOLE_REG_CONTROL, kStart);
  while (f.left > 1) f.Cycle();
  cr_assert_eq(f.starts, 1);
  f.Cycle();  // done
  for (int i = 0; i < 3; i++) f.Cycle();
  cr_assert_eq(f.starts, 2);
  f.Expect(SYSTOLE_REG_CONTROL, kDone | kReady);  // of the first; the second runs
}

Test(control, a_start_during_a_run_waits_for_its_end) { StartDuringARun(true); }
Test(control, a_start_waits_for_done_even_if_busy_is_late) { StartDuringARun(false); }

Test(control, a_kernel_that_is_still_busy_is_not_started) {
  Fixture f(1);
  f.blocked = true;
  f.Cycle();
  f.Expect(SYSTOLE_REG_CONTROL, 0);  // not idle
  f.Write(SYSTOLE_REG_CONTROL, kStart);
  for (int i = 0; i < 20; i++) f.Cycle();
  cr_assert_eq(f.starts, 0);
  f.Expect(SYSTOLE_REG_CONTROL, kStart);
  f.blocked = false;
  for (int i = 0; i < 3; i++) f.Cycle();
  cr_assert_eq(f.starts, 1);
}

// The end of a run and the read that clears done meet in every possible way; none is
// lost.
Test(control, no_done_is_lost_to_a_read) {
  for (int offset = 1; offset < 30; offset++) {
    Fixture f(static_cast<uint64_t>(offset));
    f.stall = 1;
    f.run_cycles = offset;
    f.Write(SYSTOLE_REG_CONTROL, kStart);
    int dones = 0;
    for (int i = 0; i < 40; i++) dones += (f.Read(SYSTOLE_REG_CONTROL) & kDone) != 0;
    cr_assert_eq(dones, 1, "done was seen %d times with a run of %d cycles", dones,
                 offset);
  }
}

Test(control, the_interrupt_follows_enable_mask_and_status) {
  Fixture f(1);
  const auto run = [&] {
    f.Write(SYSTOLE_REG_CONTROL, kStart);
    for (int i = 0; i < 3; i++) f.Cycle();
    while (f.running) f.Cycle();
    for (int i = 0; i < 3; i++) f.Cycle();
  };
  run();
  f.Expect(SYSTOLE_REG_INTERRUPT_STATUS, 0);  // masked
  f.Write(SYSTOLE_REG_INTERRUPT_MASK, 1);
  f.Expect(SYSTOLE_REG_INTERRUPT_MASK, 1);
  run();
  f.Expect(SYSTOLE_REG_INTERRUPT_STATUS, 1);
  cr_assert_not(f.bench->interrupt_o, "not enabled yet");
  f.Write(SYSTOLE_REG_INTERRUPT_ENABLE, 1);
  f.Expect(SYSTOLE_REG_INTERRUPT_ENABLE, 1);
  f.Cycle();
  cr_assert(f.bench->interrupt_o);
  f.Write(SYSTOLE_REG_INTERRUPT_STATUS, 1);  // toggles: acknowledged
  f.Cycle();
  f.Expect(SYSTOLE_REG_INTERRUPT_STATUS, 0);
  cr_assert_not(f.bench->interrupt_o);
  f.Write(SYSTOLE_REG_INTERRUPT_STATUS, 2);  // toggles: raised by hand
  f.Cycle();
  f.Expect(SYSTOLE_REG_INTERRUPT_STATUS, 2);
  cr_assert(f.bench->interrupt_o);
  f.Write(SYSTOLE_REG_INTERRUPT_STATUS, 2);
  f.Write(SYSTOLE_REG_INTERRUPT_MASK, 3);
  run();
  f.Expect(SYSTOLE_REG_INTERRUPT_STATUS, 3);
  f.Write(SYSTOLE_REG_INTERRUPT_ENABLE, 0);
  f.Cycle();
  cr_assert_not(f.bench->interrupt_o);
}

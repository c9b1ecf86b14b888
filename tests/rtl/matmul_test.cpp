// systole_matmul: the rows in the order of the five loops, tiles switched with their
// first row, tokens and flight only when everything has landed.
#include "Vmatmul4.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr unsigned kDim = 4, kUbRows = 256, kAccRows = 64;
// From a decision to the last column in the accumulators: a register to the core, and
// there column c takes Dim + c + 2 cycles.
constexpr uint64_t kLands = 1 + 2 * kDim + 1;

struct Matmul {
  unsigned give = 0, ub_row = 0, acc_row = 0, rows0 = 1, rows1 = 1;
  unsigned red0 = 1, red1 = 1, red2 = 1;
  int stride0 = 0, stride1 = 0, red_stride0 = 0, red_stride1 = 0, red_stride2 = 0;
  bool accumulate = false;

  Instruction Encode() const {
    Instruction i;
    i.Set(SYSTOLE_FIELD(GIVE), give)
        .Set(SYSTOLE_FIELD(MATMUL_UB_ROW), ub_row)
        .Set(SYSTOLE_FIELD(MATMUL_ACC_ROW), acc_row)
        .Set(SYSTOLE_FIELD(MATMUL_ACCUMULATE), accumulate)
        .Set(SYSTOLE_FIELD(MATMUL_ROWS0), rows0)
        .Set(SYSTOLE_FIELD(MATMUL_ROWS1), rows1)
        .Set(SYSTOLE_FIELD(MATMUL_RED0), red0)
        .Set(SYSTOLE_FIELD(MATMUL_RED1), red1)
        .Set(SYSTOLE_FIELD(MATMUL_RED2), red2)
        .Set(SYSTOLE_FIELD(MATMUL_ROW_STRIDE0), static_cast<uint64_t>(stride0))
        .Set(SYSTOLE_FIELD(MATMUL_ROW_STRIDE1), static_cast<uint64_t>(stride1))
        .Set(SYSTOLE_FIELD(MATMUL_RED_STRIDE0), static_cast<uint64_t>(red_stride0))
        .Set(SYSTOLE_FIELD(MATMUL_RED_STRIDE1), static_cast<uint64_t>(red_stride1))
        .Set(SYSTOLE_FIELD(MATMUL_RED_STRIDE2), static_cast<uint64_t>(red_stride2));
    return i;
  }
};

enum Where { kOutput, kInput, kWeight, kShift, kOther };

class Fixture {
 public:
  explicit Fixture(uint64_t seed) : bench(seed), random(seed) {
    bench->head_valid_i = bench->head_ready_i = bench->head_missing_i = 0;
    std::memset(&bench->head_i, 0, sizeof bench->head_i);
    bench->tile_ready_i = bench->tile_here_i = 0;
    bench.Reset();
  }

  Matmul AnyMatmul() {
    Matmul m;
    m.give = random.Below(32);
    m.rows0 = random.Between(1, 6);
    m.rows1 = random.Between(1, 3);
    m.red0 = random.Between(1, 3);
    m.red1 = random.Between(1, 3);
    m.red2 = random.Between(1, 2);
    const auto stride = [&] { return static_cast<int>(random.Between(0, 16)) - 8; };
    m.stride0 = stride();
    m.stride1 = stride();
    m.red_stride0 = stride();
    m.red_stride1 = stride();
    m.red_stride2 = stride();
    m.ub_row = 128;
    m.acc_row = random.Below(2) * kAccRows / 2 +
                random.Below(kAccRows / 2 - m.rows0 * m.rows1 + 1);
    m.accumulate = random.Percent(50);
    return m;
  }

  void Ask(const Matmul &m) {
    instructions.push_back(m.Encode());
    gives.push_back(m.give);
    for (unsigned r2 = 0; r2 < m.red2; r2++) {
      for (unsigned r1 = 0; r1 < m.red1; r1++) {
        for (unsigned r0 = 0; r0 < m.red0; r0++) {
          for (unsigned i1 = 0; i1 < m.rows1; i1++) {
            for (unsigned i0 = 0; i0 < m.rows0; i0++) {
              Row row;
              row.ub = static_cast<unsigned>(
                  static_cast<int>(m.ub_row) + static_cast<int>(r2) * m.red_stride2 +
                  static_cast<int>(r1) * m.red_stride1 +
                  static_cast<int>(r0) * m.red_stride0 +
                  static_cast<int>(i1) * m.stride1 + static_cast<int>(i0) * m.stride0);
              row.acc = m.acc_row + i1 * m.rows0 + i0;
              row.overwrite = !m.accumulate && r0 + r1 + r2 == 0;
              row.switches = i0 + i1 == 0;
              row.last = i0 + 1 == m.rows0 && i1 + 1 == m.rows1 && r0 + 1 == m.red0 &&
                         r1 + 1 == m.red1 && r2 + 1 == m.red2;
              rows.push_back(row);
            }
          }
        }
      }
    }
  }

  void Cycle() {
    // The head waits for tokens at first.
    if (!bench->head_valid_i && !instructions.empty() && random.Percent(head_percent)) {
      bench->head_valid_i = 1;
      std::memcpy(&bench->head_i, instructions.front().words(), sizeof bench->head_i);
      bench->head_missing_i = random.Below(32) & random.Below(32);
    }
    if (random.Percent(head_percent)) bench->head_missing_i = 0;
    bench->head_ready_i = bench->head_valid_i && bench->head_missing_i == 0;
    if (!bench->tile_ready_i && random.Percent(tile_percent)) bench->tile_ready_i = 1;
    bench->tile_here_i = bench->tile_ready_i || random.Percent(50);
    bench.Settle();
    const uint64_t now = bench.cycle();

    // What the decision of the cycle before put onto the core's wires.
    SYSTOLE_CHECK(bench->row_valid_o == decided, "row_valid_o is %d", bench->row_valid_o);
    if (decided) {
      SYSTOLE_CHECK(!rows.empty(), "a row that no instruction asked for");
      const Row row = rows.front();
      rows.pop_front();
      SYSTOLE_CHECK(bench->row_ub_o == row.ub, "row %u enters, expected %u",
                    bench->row_ub_o, row.ub);
      SYSTOLE_CHECK(bench->row_acc_o == row.acc, "accumulator row %u, expected %u",
                    bench->row_acc_o, row.acc);
      SYSTOLE_CHECK(bench->row_overwrite_o == row.overwrite, "overwrite");
      SYSTOLE_CHECK(bench->row_switch_o == row.switches && switched == row.switches,
                    "switch");
      SYSTOLE_CHECK(row.overwrite || row.acc != last_acc,
                    "accumulator row %u is added to in two cycles running", row.acc);
      flies_until[row.acc / (kAccRows / 2)] = now - 1 + kLands;
      last_acc = row.acc;
      if (row.last) landing.push_back(now - 1 + kLands);
      issued++;
    } else {
      last_acc = kAccRows;
    }
    for (unsigned half = 0; half < 2; half++) {
      if (now < flies_until[half]) {
        SYSTOLE_CHECK(flight >> half & 1, "half %u has rows on their way", half);
      } else if (now > flies_until[half] + 2 && !decided && !bench->active_o) {
        SYSTOLE_CHECK(!(flight >> half & 1), "half %u is kept for too long", half);
      }
    }
    if (bench->done_o) {
      SYSTOLE_CHECK(!landing.empty(), "done without an end");
      SYSTOLE_CHECK(now >= landing.front() && now <= landing.front() + 2,
                    "done in cycle %llu, landed in %llu",
                    static_cast<unsigned long long>(now),
                    static_cast<unsigned long long>(landing.front()));
      SYSTOLE_CHECK(bench->give_o == gives.front(), "give_o is %02x, expected %02x",
                    bench->give_o, gives.front());
      landing.pop_front();
      gives.pop_front();
      done++;
    }
    SYSTOLE_CHECK(!bench->switch_o || (bench->tile_ready_i && bench->active_o),
                  "a switch without a tile or a row");
    SYSTOLE_CHECK(!bench->accept_o || bench->head_ready_i, "accepts what is not ready");
    if (!bench->active_o) {
      int where = kOther;
      if (running) {
        if (at_first && !bench->tile_ready_i)
          where = bench->tile_here_i ? kShift : kWeight;
        else if (rows.front().acc == last_acc && !rows.front().overwrite)
          where = kOutput;  // its sum is not yet in memory
      } else if (bench->head_valid_i) {
        if (bench->head_missing_i >> SYSTOLE_UNIT_ACTIVATE & 1) {
          where = kOutput;
        } else if (bench->head_missing_i) {
          where = kInput;
        } else if (!bench->tile_ready_i) {
          where = bench->tile_here_i ? kShift : kWeight;
        }
      }
      SYSTOLE_CHECK(bench->where_o == where, "where_o is %d, expected %d", bench->where_o,
                    where);
    }
    ub_errors += bench->ub_error_o;
    acc_errors += bench->acc_error_o;
    if (bench->ub_error_o || bench->acc_error_o) detail = bench->error_detail_o;

    decided = bench->active_o;
    flight = bench->flight_next_o;
    switched = bench->switch_o;
    actives += decided;
    if (decided && !rows.empty()) {
      running = !rows.front().last;
      at_first = rows.size() > 1 && rows[1].switches;
    }
    const bool accepted = bench->accept_o;
    if (accepted) {
      running = true;
      at_first = true;
      instructions.pop_front();
    }
    bench.Edge();
    if (switched) bench->tile_ready_i = 0;
    if (accepted) bench->head_valid_i = 0;
  }

  void Finish() {
    for (uint64_t begin = bench.cycle(); !rows.empty() || !gives.empty();) {
      SYSTOLE_CHECK(bench.cycle() - begin < 100000, "it does not come to an end");
      Cycle();
    }
    for (int i = 0; i < 4; i++) Cycle();
    SYSTOLE_CHECK(flight == 0, "rows stay on their way");
    SYSTOLE_CHECK(ub_errors == 0 && acc_errors == 0, "an error that nobody made");
  }

  struct Row {
    unsigned ub, acc;
    bool overwrite, switches, last;
  };
  Bench<Vmatmul4> bench;
  Random random;
  int head_percent = 100, tile_percent = 100;
  std::deque<Instruction> instructions;
  std::deque<unsigned> gives;
  std::deque<Row> rows;          // that must still enter
  std::deque<uint64_t> landing;  // cycles in which the last rows of instructions land
  uint64_t flies_until[2] = {0, 0};
  unsigned last_acc =
      kAccRows;  // row that was decided in the cycle before; kAccRows: none
  bool decided = false, switched = false, running = false, at_first = false;
  unsigned flight = 0;  // flight_next_o of the cycle before
  uint64_t issued = 0, actives = 0, done = 0;
  int ub_errors = 0, acc_errors = 0;
  unsigned detail = 0;
};

}  // namespace

Test(matmul, rows_and_tokens_whatever_tiles_and_tokens_do) {
  ForSeeds(120, [](uint64_t seed) {
    Fixture f(seed);
    f.head_percent = f.random.Willingness();
    f.tile_percent = f.random.Willingness();
    for (uint64_t i = f.random.Between(1, 8); i; i--) f.Ask(f.AnyMatmul());
    f.Finish();
  });
}

// With tiles and tokens in place nothing is lost between steps and instructions.
Test(matmul, a_row_every_cycle_across_steps_and_instructions) {
  Fixture f(1);
  f.bench->tile_ready_i = 1;
  unsigned rows = 0;
  for (int k = 0; k < 10; k++) {
    Matmul m;
    m.rows0 = 8;
    m.red0 = 4;
    f.Ask(m);
    rows += 32;
  }
  while (f.issued == 0) f.Cycle();
  const uint64_t begin = f.bench.cycle();
  while (f.issued < rows) f.Cycle();
  cr_assert_leq(f.bench.cycle() - begin, rows - 1, "%d cycles for %u rows",
                (int)(f.bench.cycle() - begin), rows - 1);
}

Test(matmul, rows_out_of_range_are_errors) {
  {
    Fixture f(1);
    Matmul m;
    m.ub_row = kUbRows - 2;
    m.rows0 = 4;
    m.stride0 = 1;
    f.Ask(m);
    for (int i = 0; i < 60; i++) f.Cycle();
    cr_assert_gt(f.ub_errors, 0);
    cr_assert_eq(f.detail, kUbRows);
    cr_assert_eq(f.issued, 2);
    cr_assert_eq(f.done, 0);
  }
  for (unsigned first : {kAccRows / 2 - 2, kAccRows - 2, kAccRows + 3}) {
    Fixture f(2);
    Matmul m;
    m.acc_row = first;
    m.rows0 = 4;
    f.Ask(m);
    for (int i = 0; i < 60; i++) f.Cycle();
    cr_assert_gt(f.acc_errors, 0, "first row %u", first);
    cr_assert_eq(f.detail, first);
    cr_assert_eq(f.done, 0);
  }
}

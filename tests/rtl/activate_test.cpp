// systole_activate: every value against exact arithmetic, every row in its place, in
// order, while both outputs hesitate.
#include <algorithm>

#include "Vactivate16x16.h"
#include "Vactivate16x4.h"
#include "Vactivate8x16.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr unsigned kUbRows = 256, kAccRows = 64;

struct Column {
  int32_t bias = 0;
  int32_t multiplier = 0;  // 17 bits, signed
  unsigned shift = 0;
};

// Round half to even, by looking at what is cut off.
int64_t Rounded(int64_t value, unsigned shift) {
  const int64_t quotient = value >> shift;
  const int64_t rest = value - quotient * (int64_t{1} << shift);
  const int64_t half = shift ? int64_t{1} << (shift - 1) : 1;
  if (shift == 0 || rest < half) return quotient;
  if (rest > half) return quotient + 1;
  return quotient + (quotient & 1);
}

struct Activate {
  unsigned give = 0, ub_row = 0, acc_row = 0, rows0 = 1, rows1 = 1;
  int stride0 = 1, stride1 = 0;
  bool raw = false, bias = false;
  unsigned bank = 0;
  int zero_point = 0, low = -128, high = 127;

  Instruction Encode() const {
    Instruction i;
    i.Set(SYSTOLE_FIELD(GIVE), give)
        .Set(SYSTOLE_FIELD(ACTIVATE_UB_ROW), ub_row)
        .Set(SYSTOLE_FIELD(ACTIVATE_ACC_ROW), acc_row)
        .Set(SYSTOLE_FIELD(ACTIVATE_ROWS0), rows0)
        .Set(SYSTOLE_FIELD(ACTIVATE_ROWS1), rows1)
        .Set(SYSTOLE_FIELD(ACTIVATE_UB_STRIDE0), static_cast<uint64_t>(stride0))
        .Set(SYSTOLE_FIELD(ACTIVATE_UB_STRIDE1), static_cast<uint64_t>(stride1))
        .Set(SYSTOLE_FIELD(ACTIVATE_RAW), raw)
        .Set(SYSTOLE_FIELD(ACTIVATE_BIAS), bias)
        .Set(SYSTOLE_FIELD(ACTIVATE_BANK), bank)
        .Set(SYSTOLE_FIELD(ACTIVATE_ZERO_POINT), static_cast<uint64_t>(zero_point))
        .Set(SYSTOLE_FIELD(ACTIVATE_CLAMP_LOW), static_cast<uint64_t>(low))
        .Set(SYSTOLE_FIELD(ACTIVATE_CLAMP_HIGH), static_cast<uint64_t>(high));
    return i;
  }
};

template <class Top, unsigned kDim, unsigned kBytes>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), queue(&bench.top(), &random) {
    bench->param_valid_i = 0;
    bench->flight_i = 0;
    std::memset(&bench->acc_rdata_i, 0, 4 * kDim);
    bench->raw_ready_i = bench->ub_grant_i = 0;
    bench.Reset();
    acc.assign(kAccRows, std::vector<int32_t>(kDim));
    for (auto &row : acc) {
      for (int32_t &value : row) value = AnyInt();
    }
  }

  void Randomize() {
    queue.percent = random.Willingness();
    raw_percent = random.Willingness();
    grant_percent = random.Willingness();
    flight_percent = random.Percent(50) ? 0 : static_cast<int>(random.Between(5, 60));
  }

  // Small ones, large ones, and the ends of the range.
  int32_t AnyInt() {
    switch (random.Below(4)) {
      case 0:
        return static_cast<int32_t>(random.Below(512)) - 256;
      case 1:
        return random.Percent(50) ? INT32_MIN : INT32_MAX;
      default:
        return static_cast<int32_t>(random.Bits() >> random.Below(24));
    }
  }

  void SendParameters(unsigned bank) {
    std::vector<uint8_t> block(kDim * SYSTOLE_PARAM_BYTES);
    for (unsigned c = 0; c < kDim; c++) {
      Column &column = columns[bank][c];
      column.bias = AnyInt();
      column.multiplier = static_cast<int32_t>(random.Below(1 << 17)) - (1 << 16);
      column.shift = static_cast<unsigned>(
          random.Percent(20) ? random.Below(2) : random.Below(SYSTOLE_MAX_SHIFT + 1));
      const uint64_t word = static_cast<uint32_t>(column.bias) |
                            (static_cast<uint64_t>(column.multiplier) & 0x1FFFF)
                                << SYSTOLE_PARAM_MULTIPLIER_LSB |
                            static_cast<uint64_t>(column.shift)
                                << SYSTOLE_PARAM_SHIFT_LSB;
      std::memcpy(&block[c * SYSTOLE_PARAM_BYTES], &word, SYSTOLE_PARAM_BYTES);
    }
    for (unsigned beat = 0; beat < block.size() / kBytes; beat++) {
      bench->param_valid_i = 1;
      bench->param_bank_i = static_cast<CData>(bank);
      bench->param_beat_i = static_cast<CData>(beat);
      std::memcpy(&bench->param_data_i, &block[beat * kBytes], kBytes);
      Cycle();
      bench->param_valid_i = 0;
      random.Fill(&bench->param_data_i, kBytes);
      if (random.Percent(30)) Cycle();
    }
  }

  Activate AnyActivate() {
    Activate a;
    a.give = random.Below(32);
    a.rows0 = random.Between(1, 8);
    a.rows1 = random.Between(1, 4);
    const unsigned rows = a.rows0 * a.rows1;
    a.acc_row = random.Below(2) * kAccRows / 2 + random.Below(kAccRows / 2 - rows + 1);
    a.ub_row = 128;
    a.stride0 = static_cast<int>(random.Between(0, 6)) - 3;
    a.stride1 = static_cast<int>(random.Between(0, 40)) - 20;
    a.raw = random.Percent(30);
    a.bias = random.Percent(60);
    a.bank = random.Below(2);
    a.zero_point = static_cast<int>(random.Below(256)) - 128;
    a.low = static_cast<int>(random.Below(256)) - 128;
    a.high =
        static_cast<int>(random.Between(static_cast<uint64_t>(a.low + 128), 255)) - 128;
    return a;
  }

  void Ask(const Activate &a) {
    queue.instructions.push_back(a.Encode());
    unsigned acc_row = a.acc_row;
    for (unsigned i1 = 0; i1 < a.rows1; i1++) {
      for (unsigned i0 = 0; i0 < a.rows0; i0++, acc_row++) {
        Row row;
        row.raw = a.raw;
        row.ub_row = static_cast<unsigned>(static_cast<int>(a.ub_row) +
                                           static_cast<int>(i1) * a.stride1 +
                                           static_cast<int>(i0) * a.stride0);
        for (unsigned c = 0; c < kDim; c++) {
          const Column &column = columns[a.bank][c];
          const uint32_t sum = static_cast<uint32_t>(acc[acc_row][c]) +
                               (a.bias ? static_cast<uint32_t>(column.bias) : 0);
          const int32_t x = static_cast<int32_t>(sum);
          if (a.raw) {
            row.bytes.append(reinterpret_cast<const char *>(&x), 4);
          } else {
            const int64_t y =
                Rounded(int64_t{x} * column.multiplier, column.shift) + a.zero_point;
            row.bytes.push_back(static_cast<char>(
                std::min<int64_t>(std::max<int64_t>(y, a.low), a.high)));
          }
        }
        expected.push_back(row);
      }
    }
  }

  void Cycle() {
    queue.Drive();
    if (random.Percent(30)) bench->flight_i = 0;
    if (random.Percent(flight_percent)) bench->flight_i = random.Below(4);
    bench->raw_ready_i = random.Percent(raw_percent);
    bench->ub_grant_i = 0;
    bench.Settle();
    bench->ub_grant_i = bench->ub_valid_o && random.Percent(grant_percent);
    bench.Settle();
    SYSTOLE_CHECK(!(bench->ub_valid_o && bench->raw_valid_o), "two outputs at once");
    const bool raw = bench->raw_valid_o && bench->raw_ready_i;
    if (raw || bench->ub_grant_i) {
      SYSTOLE_CHECK(!expected.empty(), "a row that no instruction asked for");
      const Row &row = expected.front();
      SYSTOLE_CHECK(row.raw == raw, "the row goes to the wrong place");
      const char *found = reinterpret_cast<const char *>(&bench->ub_data_o);
      if (raw) found = reinterpret_cast<const char *>(&bench->raw_data_o);
      SYSTOLE_CHECK(std::memcmp(found, row.bytes.data(), row.bytes.size()) == 0,
                    "wrong values in row %llu", static_cast<unsigned long long>(taken));
      if (!raw) {
        SYSTOLE_CHECK(bench->ub_row_o == row.ub_row, "row %u, expected %u",
                      bench->ub_row_o, row.ub_row);
      }
      expected.pop_front();
      taken++;
    }
    int read = -1;
    if (bench->acc_read_o) {
      read = bench->acc_row_o;
      SYSTOLE_CHECK((bench->flight_i >> (read / (kAccRows / 2)) & 1) == 0,
                    "reads a half into which rows are on their way");
    }
    ub_errors += bench->ub_error_o;
    acc_errors += bench->acc_error_o;
    if (bench->ub_error_o || bench->acc_error_o) detail = bench->error_detail_o;
    queue.Sample();
    bench.Edge();
    queue.Advance();
    if (read >= 0) {
      std::memcpy(&bench->acc_rdata_i, acc[static_cast<unsigned>(read)].data(), 4 * kDim);
    }
  }

  void Finish() {
    for (uint64_t begin = bench.cycle();
         !expected.empty() || !queue.gives.empty() || !queue.instructions.empty();) {
      SYSTOLE_CHECK(bench.cycle() - begin < 100000, "it does not come to an end");
      Cycle();
    }
    for (int i = 0; i < 3; i++) Cycle();
    SYSTOLE_CHECK(!bench->busy_o, "busy_o stays");
    SYSTOLE_CHECK(ub_errors == 0 && acc_errors == 0, "an error that nobody made");
  }

  struct Row {
    bool raw = false;
    unsigned ub_row = 0;
    std::string bytes;
  };
  Bench<Top> bench;
  Random random;
  Queue<Top> queue;
  int raw_percent = 100, grant_percent = 100, flight_percent = 0;
  std::vector<std::vector<int32_t>> acc;
  Column columns[2][kDim];
  std::deque<Row> expected;
  uint64_t taken = 0;
  int ub_errors = 0, acc_errors = 0;
  unsigned detail = 0;
};

using Same = Fixture<Vactivate16x16, 16, 16>;
using Half = Fixture<Vactivate16x4, 16, 4>;  // a column's parameters take two beats
using Small = Fixture<Vactivate8x16, 8, 16>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (int round = 0; round < 4; round++) {
    f.SendParameters(0);
    f.SendParameters(1);
    for (uint64_t i = f.random.Between(1, 6); i; i--) f.Ask(f.AnyActivate());
    f.Finish();
  }
}

}  // namespace

Test(activate, values_and_order_under_back_pressure) {
  ForSeeds(60, RandomTraffic<Same>);
}
Test(activate, values_and_order_with_narrow_parameters) {
  ForSeeds(60, RandomTraffic<Half>);
}
Test(activate, values_and_order_with_wide_parameters) {
  ForSeeds(60, RandomTraffic<Small>);
}

// Halves, and their neighbours, of both signs, at every shift.
Test(activate, rounds_half_to_even) {
  Same f(1);
  f.SendParameters(0);
  for (unsigned shift = 0; shift <= SYSTOLE_MAX_SHIFT; shift++) {
    for (unsigned c = 0; c < 16; c++) {
      Column &column = f.columns[0][c];
      column.shift = shift;
      column.multiplier = shift > 20 ? (c % 2 ? 1 << 15 : -(1 << 15)) : 1;
      column.bias = 0;
      const uint64_t word = (static_cast<uint64_t>(column.multiplier) & 0x1FFFF)
                                << SYSTOLE_PARAM_MULTIPLIER_LSB |
                            static_cast<uint64_t>(shift) << SYSTOLE_PARAM_SHIFT_LSB;
      f.bench->param_valid_i = 1;
      f.bench->param_bank_i = 0;
      f.bench->param_beat_i = static_cast<CData>(c / 2);
      std::memcpy(reinterpret_cast<char *>(&f.bench->param_data_i) + c % 2 * 8, &word, 8);
      if (c % 2) f.Cycle();
      // (quotient + 1/2) 2^shift / multiplier, one below, exact, one above.
      const int64_t unit = int64_t{1} << (shift > 20 ? shift - 15 : shift);
      const int64_t quotient = static_cast<int64_t>(c) - 8;
      for (unsigned row = 0; row < 8; row++) {
        const int64_t value =
            quotient * unit + unit / 2 + static_cast<int64_t>(row % 3) - 1;
        f.acc[row][c] = static_cast<int32_t>(
            std::min<int64_t>(std::max<int64_t>(value, INT32_MIN), INT32_MAX));
      }
    }
    f.bench->param_valid_i = 0;
    Activate a;
    a.rows0 = 8;
    f.Ask(a);
    f.Finish();
  }
}

Test(activate, a_row_every_cycle) {
  Same f(1);
  f.SendParameters(0);
  const uint64_t begin = f.bench.cycle();
  Activate a;
  a.rows0 = kAccRows / 2;
  f.Ask(a);
  a.raw = true;
  f.Ask(a);
  f.Finish();
  cr_assert_leq(f.bench.cycle() - begin, kAccRows + 16, "%d cycles for %u rows",
                (int)(f.bench.cycle() - begin), kAccRows);
}

Test(activate, rows_out_of_range_are_errors) {
  {
    Same f(1);
    Activate a;
    a.ub_row = kUbRows - 2;
    a.rows0 = 4;
    f.SendParameters(0);
    f.Ask(a);
    for (int i = 0; i < 50; i++) f.Cycle();
    cr_assert_gt(f.ub_errors, 0);
    cr_assert_eq(f.detail, kUbRows);
    cr_assert_eq(f.taken, 2);
    cr_assert_eq(f.queue.done, 0);
  }
  for (unsigned first : {kAccRows / 2 - 2, kAccRows - 2, kAccRows + 3}) {
    Same f(2);
    Activate a;
    a.acc_row = first;
    a.rows0 = 4;
    f.SendParameters(0);
    f.queue.instructions.push_back(a.Encode());
    f.expected.resize(
        2);  // the rows in range may be handed out; their values do not matter
    f.grant_percent = 0;
    for (int i = 0; i < 50; i++) f.Cycle();
    cr_assert_gt(f.acc_errors, 0, "first row %u", first);
    cr_assert_eq(f.detail, first);
    cr_assert_eq(f.queue.done, 0);
  }
}

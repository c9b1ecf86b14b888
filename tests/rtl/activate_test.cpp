// systole_activate: every value against host/engine/epilogue.h, every row in its place,
// in order, while outputs and port B hesitate; and no cycle lost between instructions.
#include <algorithm>

#include "Vactivate16x16.h"
#include "Vactivate16x4.h"
#include "Vactivate8x16.h"
#include "unit_bus.h"

extern "C" {
#include "engine/epilogue.h"
}

using namespace systole;

namespace {

constexpr unsigned kUbRows = 256, kAccRows = 64;

struct Column {
  int32_t bias = 0;
  int32_t multiplier = 0;  // 17 bits, signed
  unsigned shift = 0;
};

struct Activate {
  unsigned give = 0, ub_row = 0, acc_row = 0, rows0 = 1, rows1 = 1;
  int stride0 = 1, stride1 = 0;
  bool raw = false, bias = false;
  unsigned bank = 0;
  int zero_point = 0, low = -128, high = 127;
  bool residual = false;
  unsigned res_row = 0;
  int res_stride0 = 1, res_stride1 = 0, res_multiplier = 0, res_zero = 0;
  int pool = SYSTOLE_POOL_NONE;
  unsigned height = 0, width = 0;  // image
  unsigned window_h = 0, window_w = 0, stride_h = 0, stride_w = 0, top = 0, left = 0;

  int Place(unsigned first, unsigned n, int inner, int outer) const {
    return static_cast<int>(first) + static_cast<int>(n % rows0) * inner +
           static_cast<int>(n / rows0) * outer;
  }
  int ResultRow(unsigned n) const { return Place(ub_row, n, stride0, stride1); }
  int ResidualRow(unsigned n) const {
    return Place(res_row, n, res_stride0, res_stride1);
  }

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
        .Set(SYSTOLE_FIELD(ACTIVATE_CLAMP_HIGH), static_cast<uint64_t>(high))
        .Set(SYSTOLE_FIELD(ACTIVATE_RESIDUAL), residual)
        .Set(SYSTOLE_FIELD(ACTIVATE_RES_ROW), res_row)
        .Set(SYSTOLE_FIELD(ACTIVATE_RES_STRIDE0), static_cast<uint64_t>(res_stride0))
        .Set(SYSTOLE_FIELD(ACTIVATE_RES_STRIDE1), static_cast<uint64_t>(res_stride1))
        .Set(SYSTOLE_FIELD(ACTIVATE_RES_MUL), static_cast<uint64_t>(res_multiplier))
        .Set(SYSTOLE_FIELD(ACTIVATE_RES_ZERO), static_cast<uint64_t>(res_zero))
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL), static_cast<uint64_t>(pool))
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_HEIGHT), window_h)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_WIDTH), window_w)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_STRIDE_H), stride_h)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_STRIDE_W), stride_w)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_PAD_TOP), top)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_PAD_LEFT), left)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_IN_WIDTH), width)
        .Set(SYSTOLE_FIELD(ACTIVATE_POOL_IN_HEIGHT), height);
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
    bench->residual_grant_i = bench->residual_here_i = 0;
    bench->head_index_i = 0;
    std::memset(&bench->residual_data_i, 0, kDim);
    bench.Reset();
    buffer.assign(kUbRows, std::string(kDim, 0));
    for (std::string &row : buffer) random.Fill(row.data(), kDim);
    foreseen = buffer;
    acc.assign(kAccRows, std::vector<int32_t>(kDim));
    for (auto &row : acc) {
      for (int32_t &value : row) value = AnyInt();
    }
  }

  void Randomize() {
    queue.percent = random.Willingness();
    raw_percent = random.Willingness();
    grant_percent = random.Willingness();
    residual_percent = random.Willingness();
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

  // Rows 64 ... 191 of the buffer: results and residuals, so that they meet.
  Activate AnyActivate() {
    Activate a;
    a.give = random.Below(32);
    a.rows0 = random.Between(1, 8);
    a.rows1 = random.Between(1, 4);
    const unsigned rows = a.rows0 * a.rows1;
    a.acc_row = random.Below(2) * kAccRows / 2 + random.Below(kAccRows / 2 - rows + 1);
    a.ub_row = 128;
    a.stride0 = static_cast<int>(random.Between(0, 6)) - 3;
    a.stride1 = static_cast<int>(random.Between(0, 24)) - 12;
    a.raw = random.Percent(30);
    a.bias = random.Percent(60);
    a.bank = random.Below(2);
    a.zero_point = static_cast<int>(random.Below(256)) - 128;
    a.low = static_cast<int>(random.Below(256)) - 128;
    a.high =
        static_cast<int>(random.Between(static_cast<uint64_t>(a.low + 128), 255)) - 128;
    if (random.Percent(5)) std::swap(a.low, a.high);
    // Fields of what is not asked for are as they come.
    a.res_multiplier = static_cast<int>(random.Below(1 << 17)) - (1 << 16);
    a.res_zero = static_cast<int>(random.Below(256)) - 128;
    a.residual = !a.raw && random.Percent(40);
    do {
      a.res_row = 128 + static_cast<unsigned>(random.Below(16));
      a.res_stride0 = static_cast<int>(random.Between(0, 6)) - 3;
      a.res_stride1 = static_cast<int>(random.Between(0, 24)) - 12;
      if (random.Percent(20)) {  // in place
        a.res_row = a.ub_row;
        a.res_stride0 = a.stride0;
        a.res_stride1 = a.stride1;
      }
    } while (a.residual && ReadsItself(a));
    if (random.Percent(50)) {
      a.pool = a.raw || random.Percent(50) ? SYSTOLE_POOL_AVERAGE : SYSTOLE_POOL_MAX;
      AnyWindow(&a);
    }
    return a;
  }

  static bool ReadsItself(const Activate &a) {
    for (unsigned n = 0; n < a.rows0 * a.rows1; n++) {
      for (unsigned m = 0; m < n; m++) {
        if (a.ResidualRow(n) == a.ResultRow(m)) return true;
      }
    }
    return false;
  }

  // The usual pools, and any that can be said: windows half, or wholly, in padding.
  void AnyWindow(Activate *a) {
    const unsigned half = kAccRows / 2;
    a->width = random.Between(1, 12);
    a->height = random.Between(1, half / a->width);
    a->acc_row = random.Below(2) * half + random.Below(half - a->width * a->height + 1);
    if (random.Percent(60)) {
      a->window_h = a->window_w = random.Between(2, 3);
      a->stride_h = a->stride_w = random.Between(1, 3);
      a->top = a->left = random.Below(2);
    } else {
      a->window_h = random.Between(1, 15);
      a->window_w = random.Between(1, 15);
      a->stride_h = random.Below(16);
      a->stride_w = random.Below(16);
      a->top = random.Below(16);
      a->left = random.Below(16);
    }
  }

  void Ask(const Activate &a) {
    queue.instructions.push_back(a.Encode());
    int32_t bias[kDim], multiplier[kDim];
    uint8_t shift[kDim];
    std::vector<int32_t> image;
    for (const auto &row : acc) image.insert(image.end(), row.begin(), row.end());
    for (unsigned c = 0; c < kDim; c++) {
      bias[c] = columns[a.bank][c].bias;
      multiplier[c] = columns[a.bank][c].multiplier;
      shift[c] = static_cast<uint8_t>(columns[a.bank][c].shift);
    }
    systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
    epilogue.bias = a.bias ? bias : nullptr;
    epilogue.multiplier = multiplier;
    epilogue.shift = shift;
    epilogue.zero_point = static_cast<int8_t>(a.zero_point);
    epilogue.clamp_low = static_cast<int8_t>(a.low);
    epilogue.clamp_high = static_cast<int8_t>(a.high);
    systole_activation activation = SYSTOLE_ACTIVATION_INIT;
    activation.epilogue = &epilogue;
    activation.has_residual = a.residual;
    activation.residual_multiplier = a.res_multiplier;
    activation.residual_zero_point = static_cast<int8_t>(a.res_zero);
    activation.pool = static_cast<systole_pooling>(a.pool);
    activation.height = a.pool ? a.height : a.rows1;
    activation.width = a.pool ? a.width : a.rows0;
    activation.window_h = a.window_h;
    activation.window_w = a.window_w;
    activation.stride_h = a.stride_h;
    activation.stride_w = a.stride_w;
    activation.pad_top = a.top;
    activation.pad_left = a.left;
    const int32_t *sums = &image[a.acc_row * kDim];
    for (unsigned n = 0; n < a.rows0 * a.rows1; n++) {
      Row row;
      row.raw = a.raw;
      row.index = asked;
      row.ub_row = static_cast<unsigned>(a.ResultRow(n));
      if (a.raw) {
        int32_t values[kDim];
        systole_activation_raw_pixel(values, sums, activation.width * kDim, kDim,
                                     n / a.rows0, n % a.rows0, 0, kDim, &activation);
        row.bytes.assign(reinterpret_cast<const char *>(values), sizeof values);
      } else {
        int8_t values[kDim];
        const int8_t *residual = nullptr;
        if (a.residual) {
          residual = reinterpret_cast<const int8_t *>(
              foreseen[static_cast<unsigned>(a.ResidualRow(n))].data());
        }
        systole_activation_pixel(values, sums, activation.width * kDim, kDim, residual,
                                 n / a.rows0, n % a.rows0, 0, kDim, &activation);
        row.bytes.assign(reinterpret_cast<const char *>(values), kDim);
        foreseen[row.ub_row] = row.bytes;
      }
      expected.push_back(row);
    }
    asked++;
  }

  void Cycle() {
    queue.Drive();
    if (random.Percent(30)) bench->flight_i = 0;
    if (random.Percent(flight_percent)) bench->flight_i = random.Below(4);
    bench->raw_ready_i = random.Percent(raw_percent);
    bench->ub_grant_i = bench->residual_grant_i = 0;
    bench->residual_here_i = !on_its_way[1].empty();
    if (bench->residual_here_i) {
      std::memcpy(&bench->residual_data_i, on_its_way[1].data(), kDim);
    } else {
      random.Fill(&bench->residual_data_i, kDim);
    }
    bench.Settle();
    // One access of port B a cycle, residuals first.
    bench->residual_grant_i = bench->residual_valid_o && random.Percent(residual_percent);
    bench->ub_grant_i =
        bench->ub_valid_o && !bench->residual_valid_o && random.Percent(grant_percent);
    bench.Settle();
    on_its_way[1] = on_its_way[0];
    on_its_way[0].clear();
    if (bench->residual_grant_i) {
      on_its_way[0] = buffer[bench->residual_row_o];
      residuals++;
    }
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
        buffer[row.ub_row] = row.bytes;
      }
      SYSTOLE_CHECK(bench->index_o == row.index, "a row of instruction %u, expected %u",
                    bench->index_o, row.index);
      expected.pop_front();
      taken++;
    }
    int read = -1;
    if (bench->acc_read_o) {
      read = bench->acc_row_o;
      // A row that is announced after the decision reaches the accumulators later.
      SYSTOLE_CHECK((flight_before >> (read / (kAccRows / 2)) & 1) == 0,
                    "reads a half into which rows are on their way");
      if (!reads) first_read = bench.cycle();
      last_read = bench.cycle();
      reads++;
    }
    flight_before = flight_now;
    flight_now = bench->flight_i;
    ub_errors += bench->ub_error_o;
    acc_errors += bench->acc_error_o;
    if (bench->ub_error_o || bench->acc_error_o) {
      detail = bench->error_detail_o;
      error_index = bench->error_index_o;
    }
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
    unsigned ub_row = 0, index = 0;
    std::string bytes;
  };
  Bench<Top> bench;
  Random random;
  Queue<Top> queue;
  int raw_percent = 100, grant_percent = 100, residual_percent = 100, flight_percent = 0;
  std::vector<std::string> buffer;    // the unified buffer
  std::vector<std::string> foreseen;  // after all that was asked for
  std::string on_its_way[2];          // rows read from port B, the younger one first
  unsigned asked = 0, flight_before = 0, flight_now = 0, error_index = 0;
  uint64_t reads = 0, first_read = 0, last_read = 0, residuals = 0;
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

Test(activate, no_cycle_between_instructions) {
  // Short and long ones, int8 and raw, with pools, in every order.
  ForSeeds(20, [](uint64_t seed) {
    Same f(seed);
    f.SendParameters(0);
    f.SendParameters(1);
    uint64_t rows = 0;
    for (int i = 0; i < 40; i++) {
      Activate a = f.AnyActivate();
      a.residual = false;
      if (a.pool) {  // nothing of the window in padding: as many reads as it has rows
        a.rows0 = 3;
        a.rows1 = 2;
        a.height = 5;
        a.width = 6;
        a.acc_row = kAccRows / 2;
        a.window_h = a.window_w = 2;
        a.stride_h = a.stride_w = 2;
        a.top = a.left = 0;
        rows += 6 * 4;
      } else {
        rows += a.rows0 * a.rows1;
      }
      f.Ask(a);
    }
    f.Finish();
    cr_assert_eq(f.reads, rows);
    cr_assert_eq(f.last_read - f.first_read + 1, rows, "seed %d: %d cycles for %d rows",
                 (int)seed, (int)(f.last_read - f.first_read + 1), (int)rows);
  });
}

Test(activate, latencies) {
  const struct {
    bool raw;
    unsigned cycles;
  } kinds[] = {{true, 5}, {false, 14}};
  for (const auto &kind : kinds) {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    a.raw = kind.raw;
    f.Ask(a);
    f.Cycle();
    cr_assert_eq(f.queue.accepted, 1);
    const uint64_t accepted = f.bench.cycle() - 1;
    while (!f.taken) f.Cycle();
    cr_assert_eq(f.first_read - accepted, 3);
    cr_assert_eq(f.bench.cycle() - 1 - f.first_read, kind.cycles);
    f.Cycle();
    cr_assert_eq(f.queue.done, 1);
  }
}

// A half is free when its raw rows have been read, however long the store takes to send
// them, but not before the tokens of what came earlier.
Test(activate, tokens_of_raw_rows_come_with_the_last_read) {
  {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    a.raw = true;
    a.rows0 = 20;
    a.give = 4;
    f.Ask(a);
    f.Ask(a);  // 40 rows: more than wait in the unit
    f.raw_percent = 0;
    while (!f.queue.done) f.Cycle();
    cr_assert_eq(f.reads, 20);
    cr_assert_eq(f.bench.cycle() - 1, f.last_read);
    cr_assert_eq(f.taken, 0);
    for (int i = 0; i < 100; i++) f.Cycle();
    cr_assert_eq(f.queue.done, 1);
    f.raw_percent = 100;
    f.Finish();
    cr_assert_eq(f.queue.done, 2);
  }
  {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    f.Ask(a); /* int8 */
    a.raw = true;
    a.rows0 = 4;
    f.Ask(a);
    f.grant_percent = 0;
    for (int i = 0; i < 100; i++) f.Cycle();
    cr_assert_eq(f.reads, 5);
    cr_assert_eq(f.queue.done, 0);
    f.grant_percent = 100;
    f.Finish();
  }
}

// A residual row and a result row share port B, so a row takes two cycles; of a 2 x 2
// pool with four reads for one residual and one result, none is lost.
Test(activate, residuals_use_the_port_in_every_cycle) {
  {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    a.residual = true;
    a.res_row = 100;
    a.rows0 = 32;
    for (int i = 0; i < 4; i++) f.Ask(a);
    const uint64_t begin = f.bench.cycle();
    f.Finish();
    cr_assert_eq(f.residuals, 128);
    cr_assert_leq(f.bench.cycle() - begin, 2 * 128 + 25, "%d cycles",
                  (int)(f.bench.cycle() - begin));
  }
  {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    a.residual = true;
    a.res_row = 100;
    a.pool = SYSTOLE_POOL_MAX;
    a.height = 4;
    a.width = 8;
    a.window_h = a.window_w = a.stride_h = a.stride_w = 2;
    a.rows0 = 4;
    a.rows1 = 2;
    a.stride1 = 4;
    f.Ask(a);
    f.Finish();
    cr_assert_eq(f.residuals, 8);
    cr_assert_eq(f.last_read - f.first_read + 1, 32);
  }
}

// A layer of 4 x 5 inside a buffer of 6 x 7: the halo keeps what it held.
Test(activate, results_leave_a_halo) {
  Same f(3);
  f.SendParameters(0);
  f.Randomize();
  const auto before = f.buffer;
  Activate a;
  a.rows0 = 5;
  a.rows1 = 4;
  a.stride0 = 1;
  a.stride1 = 7;
  a.ub_row = 10 + 7 + 1;
  f.Ask(a);
  f.Finish();
  for (unsigned y = 0; y < 6; y++) {
    for (unsigned x = 0; x < 7; x++) {
      const bool inside = y >= 1 && y <= 4 && x >= 1 && x <= 5;
      cr_assert_eq(f.buffer[10 + 7 * y + x] == before[10 + 7 * y + x], !inside,
                   "row %u, %u", y, x);
    }
  }
}

// The second instruction's residual is what the first one has just made.
Test(activate, a_residual_sees_the_result_before_it) {
  ForSeeds(20, [](uint64_t seed) {
    Same f(seed);
    f.SendParameters(0);
    f.Randomize();
    Activate a;
    a.ub_row = 40;
    a.rows0 = 4;
    f.Ask(a);
    a.residual = true;
    a.res_row = 40;
    a.res_multiplier = 1 << 15;
    for (unsigned i = 1; i < 6; i++) {
      a.acc_row = 4 * i;
      a.ub_row = 40 + 4 * (i % 2);
      a.res_row = 40 + 4 * ((i + 1) % 2);
      f.Ask(a);
    }
    f.Finish();
  });
}

Test(activate, the_largest_windows) {
  Same f(5);
  f.SendParameters(0);
  for (auto &row : f.acc) {
    for (int32_t &value : row) value = static_cast<int32_t>(f.random.Bits());
  }
  for (int pool : {SYSTOLE_POOL_MAX, SYSTOLE_POOL_AVERAGE}) {
    for (unsigned pad : {0u, 7u, 14u, 15u}) {
      Activate a;
      a.pool = pool;
      a.height = 4;
      a.width = 8;
      a.window_h = a.window_w = 15;
      a.stride_h = a.stride_w = 15;
      a.top = a.left = pad;
      a.rows0 = a.rows1 = 2;
      a.stride1 = 2;
      a.bias = true;
      a.low = -100;
      f.Ask(a);
      // Everything beyond the image, to the right and below.
      a.rows0 = 5;
      a.stride1 = 5;
      f.Ask(a);
    }
  }
  f.Finish();
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
  cr_assert_leq(f.bench.cycle() - begin, kAccRows + 24, "%d cycles for %u rows",
                (int)(f.bench.cycle() - begin), kAccRows);
}

Test(activate, rows_out_of_range_are_errors) {
  {
    Same f(1);
    f.SendParameters(0);
    Activate a;
    f.Ask(a);  // a good one before it
    a.ub_row = kUbRows - 2;
    a.rows0 = 4;
    f.queue.instructions.push_back(a.Encode());
    f.expected.resize(1);
    Same::Row row = f.expected.front();
    row.index = 1;
    for (unsigned n = 0; n < 2; n++) {
      row.ub_row = kUbRows - 2 + n;
      row.bytes.clear();  // the values do not matter
      f.expected.push_back(row);
    }
    for (int i = 0; i < 50; i++) f.Cycle();
    cr_assert_gt(f.ub_errors, 0);
    cr_assert_eq(f.acc_errors, 0);
    cr_assert_eq(f.detail, kUbRows);
    cr_assert_eq(f.error_index, 1);
    cr_assert_eq(f.taken, 3);
    cr_assert_eq(f.queue.done, 1);
  }
  for (unsigned first : {kAccRows / 2 - 2, kAccRows - 2, kAccRows + 3}) {
    Same f(2);
    Activate a;
    a.acc_row = first;
    a.rows0 = 4;
    f.SendParameters(0);
    f.queue.instructions.push_back(a.Encode());
    f.grant_percent = 0;  // the rows in range are handed out, unless nobody takes them
    for (int i = 0; i < 50; i++) f.Cycle();
    cr_assert_gt(f.acc_errors, 0, "first row %u", first);
    cr_assert_eq(f.ub_errors, 0);
    cr_assert_eq(f.detail, first);
    cr_assert_eq(f.queue.done, 0);
  }
}

Test(activate, residual_rows_out_of_range_are_errors) {
  Same f(1);
  f.SendParameters(0);
  Activate a;
  a.residual = true;
  a.res_row = kUbRows - 4;
  a.res_stride0 = 2;
  a.rows0 = 4;
  f.queue.instructions.push_back(a.Encode());
  f.grant_percent = 0;
  for (int i = 0; i < 60; i++) f.Cycle();
  cr_assert_gt(f.ub_errors, 0);
  cr_assert_eq(f.acc_errors, 0);
  cr_assert_eq(f.detail, kUbRows);
  cr_assert_eq(f.residuals, 2);
  cr_assert_eq(f.queue.done, 0);
}

// An image of 6 x 5 whose last row lies in the other half: an error when a window reads
// it, and only then.
Test(activate, windows_out_of_range_are_errors) {
  for (unsigned rows : {2u, 3u}) {
    Same f(2);
    Activate a;
    a.pool = SYSTOLE_POOL_AVERAGE;
    a.acc_row = kAccRows / 2 - 29;
    a.height = 6;
    a.width = 5;
    a.window_h = a.window_w = a.stride_h = 2;
    a.stride_w = 3;
    a.rows0 = 2;
    a.rows1 = rows;
    a.stride1 = 2;
    f.SendParameters(0);
    if (rows == 2) {
      f.Ask(a);
      f.Finish();
      continue;
    }
    f.queue.instructions.push_back(a.Encode());
    f.grant_percent = 0;
    for (int i = 0; i < 80; i++) f.Cycle();
    cr_assert_gt(f.acc_errors, 0);
    cr_assert_eq(f.detail, kAccRows / 2 - 29);
    cr_assert_eq(f.queue.done, 0);
  }
}

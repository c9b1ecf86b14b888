// systole_dispatch: order, indices, and each refusal with its code, index and detail.
// What an instruction may hold is computed here from the generated header alone.
#include "Vdispatch.h"
#include "Vdispatch_plain.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr unsigned kDim = 16;
constexpr int kWords = SYSTOLE_INSTRUCTION_BITS / 32;

struct Field {
  int lsb, bits;
};
#define F(name) \
  { SYSTOLE_FIELD(name) }

const std::vector<Field> kUnitFields = {F(VERSION), F(OPCODE), F(WAIT), F(GIVE)};
const std::vector<Field> kFields[] = {
    {},
    {F(COPY_UB_ROW), F(COPY_OFFSET), F(COPY_ROWS), F(COPY_LINES), F(COPY_BLOCKS),
     F(COPY_FILL_BEFORE), F(COPY_FILL_AFTER), F(COPY_FILL_BYTE), F(COPY_MEM_LINE_STRIDE),
     F(COPY_MEM_BLOCK_STRIDE), F(COPY_UB_LINE_STRIDE), F(COPY_UB_BLOCK_STRIDE),
     F(COPY_LAST_LANES)},
    {F(WEIGHTS_PARAMS), F(WEIGHTS_BANK), F(WEIGHTS_OFFSET), F(WEIGHTS_TILES)},
    {F(MATMUL_UB_ROW), F(MATMUL_ACCUMULATE), F(MATMUL_ACC_ROW), F(MATMUL_ROWS0),
     F(MATMUL_ROWS1), F(MATMUL_ROW_STRIDE0), F(MATMUL_ROW_STRIDE1), F(MATMUL_RED0),
     F(MATMUL_RED1), F(MATMUL_RED2), F(MATMUL_RED_STRIDE0), F(MATMUL_RED_STRIDE1),
     F(MATMUL_RED_STRIDE2)},
    {F(ACTIVATE_UB_ROW),        F(ACTIVATE_ACC_ROW),       F(ACTIVATE_ROWS0),
     F(ACTIVATE_ROWS1),         F(ACTIVATE_UB_STRIDE0),    F(ACTIVATE_UB_STRIDE1),
     F(ACTIVATE_RAW),           F(ACTIVATE_BANK),          F(ACTIVATE_BIAS),
     F(ACTIVATE_RESIDUAL),      F(ACTIVATE_POOL),          F(ACTIVATE_ZERO_POINT),
     F(ACTIVATE_CLAMP_LOW),     F(ACTIVATE_CLAMP_HIGH),    F(ACTIVATE_RES_ROW),
     F(ACTIVATE_RES_STRIDE0),   F(ACTIVATE_RES_STRIDE1),   F(ACTIVATE_RES_MUL),
     F(ACTIVATE_RES_ZERO),      F(ACTIVATE_POOL_HEIGHT),   F(ACTIVATE_POOL_WIDTH),
     F(ACTIVATE_POOL_STRIDE_H), F(ACTIVATE_POOL_STRIDE_W), F(ACTIVATE_POOL_PAD_TOP),
     F(ACTIVATE_POOL_PAD_LEFT), F(ACTIVATE_POOL_IN_WIDTH), F(ACTIVATE_POOL_IN_HEIGHT)},
    {F(COPY_UB_ROW), F(COPY_RAW), F(COPY_OFFSET), F(COPY_ROWS), F(COPY_LINES),
     F(COPY_BLOCKS), F(COPY_MEM_LINE_STRIDE), F(COPY_MEM_BLOCK_STRIDE),
     F(COPY_UB_LINE_STRIDE), F(COPY_UB_BLOCK_STRIDE), F(COPY_RAW_LANES)},
    {}};

uint64_t Get(const Instruction &i, int lsb, int bits) {
  uint64_t value = 0;
  for (int k = bits - 1; k >= 0; k--) {
    value = value << 1 | (i.words()[(lsb + k) / 32] >> (lsb + k) % 32 & 1);
  }
  return value;
}

// A good instruction with random fields.
Instruction Good(unsigned opcode, Random *random) {
  Instruction i;
  i.Set(SYSTOLE_FIELD(VERSION), SYSTOLE_ISA_VERSION).Set(SYSTOLE_FIELD(OPCODE), opcode);
  if (opcode == SYSTOLE_OP_END) return i;
  i.Set(SYSTOLE_FIELD(WAIT), random->Bits()).Set(SYSTOLE_FIELD(GIVE), random->Bits());
  for (const Field &f : kFields[opcode]) {
    // Counts must not be zero; those that may be still like to be something.
    uint64_t value = random->Bits() & ((f.bits == 64 ? 0 : 1ull << f.bits) - 1);
    i.Set(f.lsb, f.bits, value ? value : 1);
  }
  if (opcode == SYSTOLE_OP_LOAD) {
    i.Set(SYSTOLE_FIELD(COPY_LAST_LANES), random->Below(kDim + 1));
    if (random->Percent(30)) {
      i.Set(SYSTOLE_FIELD(COPY_ROWS), 0);
      i.Set(random->Percent(50) ? SYSTOLE_COPY_FILL_BEFORE_LSB
                                : SYSTOLE_COPY_FILL_AFTER_LSB,
            SYSTOLE_COPY_FILL_AFTER_BITS, 0);
    }
  }
  if (opcode == SYSTOLE_OP_STORE && Get(i, SYSTOLE_FIELD(COPY_RAW))) {
    i.Set(SYSTOLE_FIELD(COPY_RAW_LANES), random->Below(kDim + 1));
  }
  if (opcode == SYSTOLE_OP_WEIGHTS && Get(i, SYSTOLE_FIELD(WEIGHTS_PARAMS)) &&
      random->Percent(50)) {
    i.Set(SYSTOLE_FIELD(WEIGHTS_TILES), 0);
  }
  if (opcode == SYSTOLE_OP_ACTIVATE) {
    // What every build executes; Extended() adds to it.
    i.Set(SYSTOLE_FIELD(ACTIVATE_RESIDUAL), 0).Set(SYSTOLE_FIELD(ACTIVATE_POOL), 0);
  }
  return i;
}

struct Verdict {
  unsigned code = SYSTOLE_ERROR_NONE;
  uint32_t detail = 0;
};

Verdict Judge(const Instruction &i, bool last, unsigned features) {
  const unsigned opcode = static_cast<unsigned>(Get(i, SYSTOLE_FIELD(OPCODE)));
  const unsigned version = static_cast<unsigned>(Get(i, SYSTOLE_FIELD(VERSION)));
  if (version != SYSTOLE_ISA_VERSION) return {SYSTOLE_ERROR_VERSION, version};
  if (opcode < SYSTOLE_OP_LOAD || opcode > SYSTOLE_OP_END)
    return {SYSTOLE_ERROR_OPCODE, opcode};
  Instruction rest = i;
  rest.Set(SYSTOLE_FIELD(VERSION), 0).Set(SYSTOLE_FIELD(OPCODE), 0);
  if (opcode != SYSTOLE_OP_END) {
    for (const Field &f : kUnitFields) rest.Set(f.lsb, f.bits, 0);
  }
  for (const Field &f : kFields[opcode]) rest.Set(f.lsb, f.bits, 0);
  for (int w = 0; w < kWords; w++) {
    if (rest.words()[w]) return {SYSTOLE_ERROR_RESERVED, static_cast<uint32_t>(w)};
  }
  if (last != (opcode == SYSTOLE_OP_END)) return {SYSTOLE_ERROR_NO_END, 0};
  const auto zero = [&](int lsb, int bits) { return Get(i, lsb, bits) == 0; };
  bool bad = false;
  switch (opcode) {
    case SYSTOLE_OP_LOAD:
      bad = zero(SYSTOLE_FIELD(COPY_LINES)) || zero(SYSTOLE_FIELD(COPY_BLOCKS)) ||
            Get(i, SYSTOLE_FIELD(COPY_LAST_LANES)) > kDim ||
            (zero(SYSTOLE_FIELD(COPY_ROWS)) && zero(SYSTOLE_FIELD(COPY_FILL_BEFORE)) &&
             zero(SYSTOLE_FIELD(COPY_FILL_AFTER)));
      break;
    case SYSTOLE_OP_STORE:
      bad = zero(SYSTOLE_FIELD(COPY_LINES)) || zero(SYSTOLE_FIELD(COPY_BLOCKS)) ||
            zero(SYSTOLE_FIELD(COPY_ROWS)) ||
            (!zero(SYSTOLE_FIELD(COPY_RAW)) &&
             Get(i, SYSTOLE_FIELD(COPY_RAW_LANES)) > kDim);
      break;
    case SYSTOLE_OP_WEIGHTS:
      bad = zero(SYSTOLE_FIELD(WEIGHTS_PARAMS)) && zero(SYSTOLE_FIELD(WEIGHTS_TILES));
      break;
    case SYSTOLE_OP_MATMUL:
      bad = zero(SYSTOLE_FIELD(MATMUL_ROWS0)) || zero(SYSTOLE_FIELD(MATMUL_ROWS1)) ||
            zero(SYSTOLE_FIELD(MATMUL_RED0)) || zero(SYSTOLE_FIELD(MATMUL_RED1)) ||
            zero(SYSTOLE_FIELD(MATMUL_RED2));
      break;
    case SYSTOLE_OP_ACTIVATE: {
      const uint64_t pool = Get(i, SYSTOLE_FIELD(ACTIVATE_POOL));
      const bool residual = !zero(SYSTOLE_FIELD(ACTIVATE_RESIDUAL));
      bad = zero(SYSTOLE_FIELD(ACTIVATE_ROWS0)) || zero(SYSTOLE_FIELD(ACTIVATE_ROWS1)) ||
            (pool != SYSTOLE_POOL_NONE && (zero(SYSTOLE_FIELD(ACTIVATE_POOL_HEIGHT)) ||
                                           zero(SYSTOLE_FIELD(ACTIVATE_POOL_WIDTH)) ||
                                           zero(SYSTOLE_FIELD(ACTIVATE_POOL_IN_HEIGHT)) ||
                                           zero(SYSTOLE_FIELD(ACTIVATE_POOL_IN_WIDTH))));
      const bool raw_scaled =
          !zero(SYSTOLE_FIELD(ACTIVATE_RAW)) && (residual || pool == SYSTOLE_POOL_MAX);
      const bool missing =
          (residual && !(features >> SYSTOLE_FEATURE_RESIDUAL & 1)) ||
          (pool != SYSTOLE_POOL_NONE && !(features >> SYSTOLE_FEATURE_POOL & 1));
      if (!bad && (missing || raw_scaled || pool > SYSTOLE_POOL_AVERAGE)) {
        return {SYSTOLE_ERROR_UNSUPPORTED, 0};
      }
      break;
    }
    default:
      break;
  }
  return {bad ? static_cast<unsigned>(SYSTOLE_ERROR_COUNT) : SYSTOLE_ERROR_NONE, 0};
}

// A build whose ACTIVATE has what the bits of kFeatures say.
template <class Top, unsigned kFeatures>
class Fixture {
 public:
  explicit Fixture(uint64_t seed) : bench(seed), random(seed) {
    bench->start_i = 0;
    bench->instructions_i = 0;
    bench->fetch_valid_i = 0;
    std::memset(&bench->fetch_i, 0, sizeof bench->fetch_i);
    bench->full_i = 0;
    bench->units_idle_i = 0;
    bench.Reset();
  }

  // Until done or an error.
  void Run(const std::vector<Instruction> &program) {
    const int fetch = random.Willingness(), room = random.Willingness();
    size_t fetched = 0, pushed = 0;
    Verdict expected;
    size_t stops_at = 0;
    while (stops_at < program.size()) {
      expected = Judge(program[stops_at], stops_at + 1 == program.size(), kFeatures);
      if (expected.code != SYSTOLE_ERROR_NONE) break;
      stops_at++;
    }
    bench->instructions_i = static_cast<uint32_t>(program.size());
    bench->start_i = 1;
    bench.Settle();
    bench.Edge();
    bench->start_i = 0;
    for (int cycle = 0, idle = 0;; cycle++) {
      SYSTOLE_CHECK(cycle < 5000, "it does not come to an end");
      if (!bench->fetch_valid_i && fetched < program.size() && random.Percent(fetch)) {
        bench->fetch_valid_i = 1;
        std::memcpy(&bench->fetch_i, program[fetched].words(), sizeof bench->fetch_i);
      }
      bench->full_i = 0;
      for (unsigned u = 0; u < SYSTOLE_UNITS; u++) {
        bench->full_i = bench->full_i | (!random.Percent(room) << u);
      }
      // The units are busy for a while after the last push.
      const bool all_pushed = pushed + 1 == program.size();
      bench->units_idle_i = all_pushed && idle > 20;
      idle = all_pushed ? idle + 1 : 0;
      bench.Settle();
      if (bench->push_o) {
        SYSTOLE_CHECK(pushed < stops_at, "instruction %zu is bad and goes out", pushed);
        const Instruction &i = program[pushed];
        const unsigned unit = static_cast<unsigned>(Get(i, SYSTOLE_FIELD(OPCODE))) - 1;
        SYSTOLE_CHECK(bench->push_unit_o == 1u << unit, "push_unit_o is %02x for unit %u",
                      bench->push_unit_o, unit);
        SYSTOLE_CHECK((bench->full_i >> unit & 1) == 0, "pushed into a full queue");
        SYSTOLE_CHECK(std::memcmp(&bench->instr_o, i.words(), sizeof bench->instr_o) == 0,
                      "instruction %zu was changed", pushed);
        SYSTOLE_CHECK(bench->index_o == pushed, "index_o is %u for %zu", bench->index_o,
                      pushed);
        pushed++;
      } else {
        SYSTOLE_CHECK(bench->push_unit_o == 0, "push_unit_o without push_o");
      }
      const bool taken = bench->fetch_valid_i && bench->fetch_pop_o;
      SYSTOLE_CHECK(bench->fetch_valid_i || !bench->fetch_pop_o, "popped from nothing");
      const bool idle_now = bench->units_idle_i;
      if (bench->error_o) {
        SYSTOLE_CHECK(expected.code != SYSTOLE_ERROR_NONE || program.empty(),
                      "error %u that nobody made", bench->error_code_o);
        const Verdict v = program.empty() ? Verdict{SYSTOLE_ERROR_NO_END, 0} : expected;
        SYSTOLE_CHECK(bench->error_code_o == v.code && bench->error_detail_o == v.detail,
                      "error %u, detail %u; expected %u, detail %u", bench->error_code_o,
                      bench->error_detail_o, v.code, v.detail);
        SYSTOLE_CHECK(bench->error_index_o == stops_at, "error at %u, expected %zu",
                      bench->error_index_o, stops_at);
        SYSTOLE_CHECK(pushed == stops_at, "%zu instructions went out", pushed);
        errors++;
        break;
      }
      if (bench->done_o) {
        SYSTOLE_CHECK(expected.code == SYSTOLE_ERROR_NONE && pushed + 1 == program.size(),
                      "done after %zu instructions", pushed);
        SYSTOLE_CHECK(was_idle, "done while units are busy");
        done++;
        break;
      }
      was_idle = idle_now;
      bench.Edge();
      if (taken) {
        fetched++;
        bench->fetch_valid_i = 0;
      }
    }
    // Nothing more after the end; the kernel resets its units after an error.
    bench.Edge();
    bench->fetch_valid_i = 0;
    for (int i = 0; i < 5; i++) {
      bench.Settle();
      SYSTOLE_CHECK(!bench->push_o && !bench->error_o && !bench->done_o, "it goes on");
      bench.Edge();
    }
    if (expected.code != SYSTOLE_ERROR_NONE || program.empty()) bench.Reset();
  }

  Bench<Top> bench;
  Random random;
  bool was_idle = false;
  int errors = 0, done = 0;
};

using Full =
    Fixture<Vdispatch, 1u << SYSTOLE_FEATURE_RESIDUAL | 1u << SYSTOLE_FEATURE_POOL>;
using Plain = Fixture<Vdispatch_plain, 0>;

// With residuals and pools, in any combination that has a meaning.
Instruction Extended(Instruction i, Random *random) {
  if (Get(i, SYSTOLE_FIELD(OPCODE)) != SYSTOLE_OP_ACTIVATE) return i;
  const bool raw = Get(i, SYSTOLE_FIELD(ACTIVATE_RAW));
  i.Set(SYSTOLE_FIELD(ACTIVATE_RESIDUAL), !raw && random->Percent(50));
  if (random->Percent(50)) {
    i.Set(SYSTOLE_FIELD(ACTIVATE_POOL),
          raw || random->Percent(50) ? SYSTOLE_POOL_AVERAGE : SYSTOLE_POOL_MAX);
  }
  return i;
}

std::vector<Instruction> GoodProgram(Random *random) {
  std::vector<Instruction> program;
  for (uint64_t i = random->Below(12); i; i--) {
    program.push_back(Good(static_cast<unsigned>(random->Between(1, 5)), random));
  }
  program.push_back(Good(SYSTOLE_OP_END, random));
  return program;
}

}  // namespace

Test(dispatch, good_programs_go_out_in_order) {
  ForSeeds(60, [](uint64_t seed) {
    Plain plain(seed);
    for (int run = 0; run < 2; run++) plain.Run(GoodProgram(&plain.random));
    Full full(seed);
    for (int run = 0; run < 3; run++) {
      std::vector<Instruction> program = GoodProgram(&full.random);
      for (Instruction &i : program) i = Extended(i, &full.random);
      full.Run(program);
    }
    SYSTOLE_CHECK(plain.done == 2 && full.done == 3, "%d and %d runs were good",
                  plain.done, full.done);
  });
}

Test(dispatch, bad_instructions_are_refused_with_their_cause) {
  ForSeeds(200, [](uint64_t seed) {
    Full f(seed);
    for (int run = 0; run < 3; run++) {
      std::vector<Instruction> program = GoodProgram(&f.random);
      for (Instruction &i : program) i = Extended(i, &f.random);
      Instruction &victim = program[f.random.Below(program.size())];
      const unsigned opcode = static_cast<unsigned>(Get(victim, SYSTOLE_FIELD(OPCODE)));
      switch (f.random.Below(5)) {
        case 0:
          victim.Set(static_cast<int>(f.random.Below(SYSTOLE_INSTRUCTION_BITS)), 1, 1);
          break;
        case 1:
          victim.Set(SYSTOLE_FIELD(VERSION), f.random.Bits());
          break;
        case 2:
          victim.Set(SYSTOLE_FIELD(OPCODE), f.random.Bits());
          break;
        case 3:
          if (!kFields[opcode].empty()) {
            const Field &field = kFields[opcode][f.random.Below(kFields[opcode].size())];
            victim.Set(field.lsb, field.bits, f.random.Percent(60) ? 0 : f.random.Bits());
            if (opcode == SYSTOLE_OP_LOAD && f.random.Percent(30)) {
              victim.Set(SYSTOLE_FIELD(COPY_LAST_LANES), kDim + f.random.Below(3));
            }
            if (opcode == SYSTOLE_OP_STORE && f.random.Percent(30)) {
              victim.Set(SYSTOLE_FIELD(COPY_RAW_LANES), kDim + f.random.Below(3));
            }
          }
          break;
        default:
          if (f.random.Percent(50)) {
            program.pop_back();
          } else {
            program.insert(program.begin() + static_cast<std::ptrdiff_t>(
                                                 f.random.Below(program.size())),
                           Good(SYSTOLE_OP_END, &f.random));
          }
      }
      f.Run(program);
    }
  });
}

Test(dispatch, every_reserved_bit_is_noticed) {
  Full f(1);
  int refused = 0;
  for (unsigned opcode = SYSTOLE_OP_LOAD; opcode <= SYSTOLE_OP_END; opcode++) {
    for (int bit = 16; bit < SYSTOLE_INSTRUCTION_BITS; bit++) {
      Instruction i;
      i.Set(SYSTOLE_FIELD(VERSION), SYSTOLE_ISA_VERSION)
          .Set(SYSTOLE_FIELD(OPCODE), opcode);
      i.Set(bit, 1, 1);
      const int before = f.errors;
      std::vector<Instruction> program = {i};
      if (opcode != SYSTOLE_OP_END) program.push_back(Good(SYSTOLE_OP_END, &f.random));
      f.Run(program);
      refused += f.errors > before;
    }
  }
  cr_assert_gt(refused, 1000);
}

// What ACTIVATE may ask for, in a build that has it and in one that has not.
Test(dispatch, residuals_and_pools_are_executed_or_refused) {
  Full full(1);
  Plain plain(1);
  for (unsigned raw = 0; raw < 2; raw++) {
    for (unsigned residual = 0; residual < 2; residual++) {
      for (unsigned pool = 0; pool < 4; pool++) {
        for (unsigned empty = 0; empty < 5; empty++) {
          static const int kSizes[] = {
              SYSTOLE_ACTIVATE_POOL_HEIGHT_LSB, SYSTOLE_ACTIVATE_POOL_WIDTH_LSB,
              SYSTOLE_ACTIVATE_POOL_IN_HEIGHT_LSB, SYSTOLE_ACTIVATE_POOL_IN_WIDTH_LSB};
          Instruction i = Good(SYSTOLE_OP_ACTIVATE, &full.random);
          i.Set(SYSTOLE_FIELD(ACTIVATE_RAW), raw)
              .Set(SYSTOLE_FIELD(ACTIVATE_RESIDUAL), residual)
              .Set(SYSTOLE_FIELD(ACTIVATE_POOL), pool);
          if (empty < 4) i.Set(kSizes[empty], empty < 2 ? 4 : 16, 0);
          const std::vector<Instruction> program = {i,
                                                    Good(SYSTOLE_OP_END, &full.random)};
          full.Run(program);
          plain.Run(program);
        }
      }
    }
  }
  // Without a pool its sizes do not matter, with one they must all be there: the maximum
  // with and without a residual, the average likewise and raw.
  cr_assert_eq(full.done, 3 * 5 + 2 + 2 + 1);
  cr_assert_eq(plain.done, 2 * 5);
}

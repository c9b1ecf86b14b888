// What every module test shares: the clock, the seed, and how an RTL assertion becomes a
// failed test.
//
// A cycle is: set inputs, Settle() (clock low, combinational outputs follow), look at
// both sides of every handshake, Edge() (the rising edge).
//
// Tests run a body once per seed. A failure prints the seed; SYSTOLE_TEST_SEED=<seed> in
// the environment runs that one alone.
#ifndef SYSTOLE_TESTS_RTL_BENCH_H_
#define SYSTOLE_TESTS_RTL_BENCH_H_

#include <criterion/criterion.h>
#include <verilated.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>

namespace systole {

// The seed that is being run; part of every message.
inline uint64_t &CurrentSeed() {
  static uint64_t seed = 0;
  return seed;
}

// Ends the test with `...` (format and values) unless `condition` holds.
#define SYSTOLE_CHECK(condition, ...)                                                   \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      char story[400];                                                                  \
      std::snprintf(story, sizeof story, __VA_ARGS__);                                  \
      cr_assert(false, "%s (%s; to repeat: SYSTOLE_TEST_SEED=%llu)", story, #condition, \
                static_cast<unsigned long long>(systole::CurrentSeed()));               \
    }                                                                                   \
  } while (0)

inline void ForSeeds(uint64_t count, const std::function<void(uint64_t)> &body) {
  const char *only = std::getenv("SYSTOLE_TEST_SEED");
  const uint64_t first = only ? std::strtoull(only, nullptr, 0) : 1;
  for (uint64_t seed = first; seed < (only ? first + 1 : first + count); seed++) {
    CurrentSeed() = seed;
    body(seed);
  }
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed * 0x9E3779B97F4A7C15u) {}
  uint64_t Bits() { return engine_(); }
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  bool Percent(int percent) { return Below(100) < static_cast<uint64_t>(percent); }
  // How willing one side of a handshake is: never stalls, rarely, often, nearly always.
  int Willingness() {
    static const int kChoices[] = {100, 90, 50, 15};
    return kChoices[Below(4)];
  }
  void Fill(void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) static_cast<uint8_t *>(bytes)[i] = Bits() & 0xFF;
  }

 private:
  std::mt19937_64 engine_;
};

template <class Top>
class Bench {
 public:
  // Registers and inputs start with bits drawn from `seed`.
  explicit Bench(uint64_t seed) : context_(new VerilatedContext) {
    context_->fatalOnError(false);
    context_->assertOn(true);
    context_->randReset(2);
    context_->randSeed(static_cast<int>(seed & 0x7FFFFFFF));
    top_.reset(new Top(context_.get(), "top"));
  }
  ~Bench() { top_->final(); }

  Top *operator->() { return top_.get(); }
  Top &top() { return *top_; }
  uint64_t cycle() const { return cycle_; }

  // All inputs must be set. Leaves reset inactive.
  void Reset() {
    top_->rst_ni = 0;
    for (int i = 0; i < 3; i++) {
      Settle();
      Edge();
    }
    top_->rst_ni = 1;
  }

  void Settle() {
    top_->clk_i = 0;
    top_->eval();
    context_->timeInc(1);
  }

  void Edge() {
    top_->clk_i = 1;
    top_->eval();
    context_->timeInc(1);
    cycle_++;
    if (!expects_assertion_) {
      SYSTOLE_CHECK(!assertion_failed(),
                    "an RTL assertion failed in cycle %llu, see above",
                    static_cast<unsigned long long>(cycle_));
    }
  }

  // Edge() no longer ends the test when an assertion fails.
  void ExpectAssertion() { expects_assertion_ = true; }
  bool assertion_failed() const { return context_->gotError(); }

 private:
  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Top> top_;
  uint64_t cycle_ = 0;
  bool expects_assertion_ = false;
};

}  // namespace systole

#endif  // SYSTOLE_TESTS_RTL_BENCH_H_

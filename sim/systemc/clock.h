// Cycles of a clock and SystemC's time. Cycle n is at n periods from the beginning of
// time, rounded to the resolution, so that long runs do not drift.
#ifndef SYSTOLE_SYSTEMC_CLOCK_H
#define SYSTOLE_SYSTEMC_CLOCK_H

#include <cmath>
#include <cstdint>
#include <systemc>

namespace systole {

class clock {
 public:
  explicit clock(double mhz) : us_(1.0 / mhz) {}

  sc_core::sc_time at(std::int64_t cycle) const {
    return sc_core::sc_time(static_cast<double>(cycle) * us_, sc_core::SC_US);
  }
  // The cycle that `time` is in or, between two, the next one.
  std::int64_t cycle_of(const sc_core::sc_time &time) const {
    return static_cast<std::int64_t>(
        std::ceil(time.to_seconds() * 1e6 / us_ - kRounding));
  }
  sc_core::sc_time period() const { return at(1); }

 private:
  static constexpr double kRounding = 0.01;  // of a cycle, for the resolution of time
  double us_;
};

}  // namespace systole

#endif

// Clock and pins of the Verilated kernel, behind the C face of systole_rtl.h.
//
// One clock cycle is: decide what the memories offer, put it on the kernel's inputs, take
// what the kernel offers, falling edge, rising edge. Between cycles the clock is high.
// Inputs stand before the falling edge, so that a clock gate that latches there sees
// them, as on a card. The kernel's outputs come from registers, so one evaluation an edge
// is enough (the checkers make sure of that). An idle memory port costs three comparisons
// a cycle; everything else here is outside the loop.
//
// The file is compiled once per model; SYSTOLE_RTL_DIM, SYSTOLE_RTL_FLAT and
// SYSTOLE_RTL_DEBUG come from the build. Widths of the AXI ports follow from the
// generated pins.

#include "systole_rtl.h"

// Before anything of Verilator.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "../memory/axi_memory.h"
#include "Vsystole.h"
#include "Vsystole___024root.h"
#include "axi_checker.h"
#include "card/systole_isa.h"
#include "verilated.h"
#if SYSTOLE_RTL_DEBUG
#include "verilated_fst_c.h"
#endif

// What runtime_hooks.h makes of Verilator's printf.
extern "C" void systole_rtl_print(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// The generated evaluation of the model's registers and logic. Vsystole::eval() calls it
// between thread-local bookkeeping that only multi-threaded models need.
void Vsystole___024root___eval(Vsystole___024root *vlSelf);

// Models without waveforms: a whole cycle, and the logic behind the inputs, without the
// search for clocks that have moved. gather.cmake writes both, and edges.h.
#include "edges.h"
#if SYSTOLE_RTL_DEBUG
#undef SYSTOLE_OWN_EDGES
#define SYSTOLE_OWN_EDGES 0
#endif
#if SYSTOLE_OWN_EDGES
void systole_settle(Vsystole___024root *root);
void systole_cycle(Vsystole___024root *root);
#endif

namespace {

using Pins = Vsystole___024root;

constexpr uint32_t kAxiBytes = sizeof(std::declval<Pins &>().m_axi_gmem0_rdata);
static_assert(kAxiBytes == sizeof(std::declval<Pins &>().m_axi_gmem1_rdata),
              "ports of one width");
static_assert(kAxiBytes >= 4 && kAxiBytes <= 64 && (kAxiBytes & (kAxiBytes - 1)) == 0,
              "AxiBytes is 4, 8, 16, 32 or 64");

// Device addresses. Both are above 4 GiB, so that a kernel or a host that loses the upper
// half of an address fails at once, and far apart, so that one port's address is never
// valid on the other, as on a card where each port has a bank of its own.
constexpr uint64_t kBase[2] = {UINT64_C(0x100000000000), UINT64_C(0x200000000000)};
constexpr uint64_t kDefaultMemoryBytes = UINT64_C(4) << 30;  // behind each port
constexpr uint64_t kLargestMemoryBytes = UINT64_C(1) << 40;
constexpr double kDefaultClockMhz = 300.0;
constexpr uint32_t kDefaultTimeoutMs = 120000;

constexpr int kResetCycles = 16;  // what AXI recommends at least (PG059)
constexpr int kControlPatience =
    1000;  // cycles until the control port must have answered
constexpr uint64_t kTraceTemporaryBytes = 16 << 20;
constexpr uint64_t kTraceRoomBytes = 1 << 20;
constexpr uint64_t kTimeCheckCycles = 256;
constexpr uint64_t kErrorPollCycles = 65536;

double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Adds the CPU time between its construction and destruction to `sum`.
class CpuTimer {
 public:
  explicit CpuTimer(double &sum)
      : sum_(sum), start_(seconds_of(CLOCK_THREAD_CPUTIME_ID)) {}
  ~CpuTimer() { sum_ += seconds_of(CLOCK_THREAD_CPUTIME_ID) - start_; }

 private:
  double &sum_;
  double start_;
};

}  // namespace

// A failure on its way to the C face. (Not in the namespace: members of systole_rtl hold
// it.)
struct Failure : std::runtime_error {
  Failure(systole_status s, const std::string &story)
      : std::runtime_error(story), status(s) {}
  systole_status status;
};

namespace {

std::string text(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string text(const char *format, ...) {
  char buffer[512];
  va_list list;
  va_start(list, format);
  vsnprintf(buffer, sizeof buffer, format, list);
  va_end(list);
  return buffer;
}

}  // namespace

struct systole_rtl {
 public:
  explicit systole_rtl(const systole_device_options &options);
  ~systole_rtl();
  systole_rtl(const systole_rtl &) = delete;
  systole_rtl &operator=(const systole_rtl &) = delete;

  uint32_t control_read(uint32_t offset);
  void control_write(uint32_t offset, uint32_t value);
  void start(uint64_t program, uint64_t weights, uint64_t activations,
             uint32_t instructions);
  bool wait(uint32_t slice_ms);
  void reset();
  void idle(uint64_t count);

  VerilatedContext *context() const { return context_.get(); }
  // An exception came out of an evaluation: the model is half evaluated and must be
  // rebuilt.
  void set_broken() {
    broken_ = stopped_ = 1;
    stop_story_ = story;
  }

  // Called from Verilator's run-time library while the model is evaluated.
  void rtl_said(const char *format, va_list list);
  void rtl_stopped(const char *what, const char *file, int line);

  std::string story;
  systole_axi_store *store[2] = {nullptr, nullptr};
  systole_axi_port port[2];
  systole_axi_timing timing[2]; /* of gmem0, gmem1 */
  std::string memory_name; /* with what is changed of a preset; empty: the preset's */
  double clock_mhz;
  double cpu_seconds = 0.0;
  uint64_t cycle = 0;

 private:
  void build();
  void pulse_reset();
  template <bool Checked>
  inline void memory_cycle();
  template <bool Traced>
  inline void edges();
  template <bool Checked, bool Traced>
  inline void tick();
  template <bool Checked, bool Traced>
  void run(uint64_t count);
  void run_cycles(uint64_t count);
  void step();
  void check();
  void check_control();
  void fail_if_stopped();
  void finish_run();
  bool advance(uint32_t slice_ms);
  void poll_error();
  uint64_t beats() const {
    return port[0].read_beats + port[0].write_beats + port[1].read_beats;
  }
  void evaluate() {
#if SYSTOLE_RTL_DEBUG
    top_->eval();  // also notes for the waveform that something may have changed
#elif SYSTOLE_OWN_EDGES
    systole_settle(pins_);  // inputs reach registers only, which outputs come from
#else
    Vsystole___024root___eval(pins_);
#endif
  }

  Pins *pins_ = nullptr;
  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vsystole> top_;

  int stopped_ = 0;  // the RTL or a checker has found an error; see stop_story_
  int broken_ = 0;   // an exception left the model half evaluated
  std::unique_ptr<Failure> wait_failure_;  // why waiting is in vain until reset
  int running_ = 0;                        // started, and done not yet seen
  std::string said_;  // what the RTL printed since the run began, bounded
  std::string stop_story_;
  uint64_t stall_seed_;
  uint64_t runs_ = 0;
  uint64_t polled_at_ = 0;     // cycle of the last look at the error register
  uint32_t polled_error_ = 0;  // what it said
  uint64_t polled_beats_ = 0;  // beats at that time
  uint64_t beats_seen_ = 0;    // for the silence timer
  double last_progress_s_ = 0;
  uint32_t timeout_ms_;

  int checked_;
  systole_axi_checker checker_[2];
  systole_axi_lite_checker control_checker_;

  // ---- waveform ----
  void open_trace();
  void close_trace();
  void check_trace_file();
  void dump(int half);
  std::string trace_path_;
  uint64_t trace_run_, trace_first_, trace_cycles_;
  uint64_t trace_origin_ = 0;  // cycle in which run trace_run_ was started
  bool trace_armed_ = false;   // a run is being recorded
#if SYSTOLE_RTL_DEBUG
  std::unique_ptr<VerilatedFstC> trace_;
#endif
};

namespace {

// The model that this thread is evaluating, for the hooks.
thread_local systole_rtl *t_current = nullptr;

class Current {
 public:
  explicit Current(systole_rtl *model) : before_(t_current) {
    t_current = model;
    if (model->context()) Verilated::threadContextp(model->context());
  }
  ~Current() { t_current = before_; }

 private:
  systole_rtl *before_;
};

}  // namespace

// ---- hooks of Verilator's run-time library
// ----------------------------------------------

extern "C" void systole_rtl_print(const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (t_current) t_current->rtl_said(format, list);
  va_end(list);
}

void vl_finish(const char *file, int line, const char *) {
  if (t_current) t_current->rtl_stopped("$finish was called", file, line);
}

void vl_stop(const char *file, int line, const char *) {
  if (t_current) t_current->rtl_stopped("$stop was called", file, line);
}

void vl_warn(const char *, int, const char *, const char *) {}

// Must not return: the model cannot go on (it did not converge, for example).
void vl_fatal(const char *file, int line, const char *, const char *message) {
  throw std::runtime_error(
      text("%s:%d: %s", file ? file : "", line, message ? message : ""));
}

void systole_rtl::rtl_said(const char *format, va_list list) {
  char line[512];
  vsnprintf(line, sizeof line, format, list);
  if (said_.size() < 4096) said_ += line;
}

// Keeps the first error. The run loop ends after the cycle.
void systole_rtl::rtl_stopped(const char *what, const char *file, int line) {
  if (stopped_) return;
  stopped_ = 1;
  // Verilator prints "[time] %Error: file:line: Assertion failed in name: 'assert'
  // failed." before it stops; without such a line the place itself has to do.
  std::string story;
  const size_t at = said_.rfind(": Assertion failed in ");
  if (at != std::string::npos) {
    size_t begin = said_.rfind("%Error: ", at);
    const size_t fatal = said_.rfind("%Fatal: ", at);
    if (begin == std::string::npos || (fatal != std::string::npos && fatal > begin))
      begin = fatal;
    const std::string place =
        begin == std::string::npos ? "" : said_.substr(begin + 8, at - begin - 8);
    std::string name = said_.substr(at + sizeof ": Assertion failed in " - 1);
    name = name.substr(0, name.find('\n'));
    const size_t tail = name.find(": 'assert' failed.");
    if (tail != std::string::npos) name.resize(tail);
    if (name.compare(0, 4, "TOP.") == 0) name.erase(0, 4);
    story = text("%s (%s)", name.c_str(), place.c_str());
  } else {
    story = text("%s at %s:%d", what, file ? file : "?", line);
  }
  stop_story_ =
      text("RTL assertion failed in cycle %" PRIu64 ": %s", cycle, story.c_str());
}

// ---- life
// -------------------------------------------------------------------------------

systole_rtl::systole_rtl(const systole_device_options &options)
    : clock_mhz(options.clock_mhz > 0.0 ? options.clock_mhz : kDefaultClockMhz),
      stall_seed_(options.stall_seed),
      timeout_ms_(options.timeout_ms ? options.timeout_ms : kDefaultTimeoutMs),
      checked_(options.check_protocol),
      trace_path_(options.trace_path ? options.trace_path : ""),
      trace_run_(options.trace_run),
      trace_first_(options.trace_first_cycle),
      trace_cycles_(options.trace_cycles) {
  static const char *const names[2] = {"gmem0", "gmem1"};
  const uint64_t bytes =
      options.memory_bytes ? options.memory_bytes : kDefaultMemoryBytes;
  const char *memory = options.memory ? options.memory : "ideal";
  const int found =
      systole_axi_ports(timing, memory, static_cast<int>(kAxiBytes), clock_mhz);
  if (found == -2) {
    throw Failure(
        SYSTOLE_ERR_ARGUMENT,
        text("the memory \"%s\" makes no sense; behind the preset's name may "
             "stand +gmem0=, +gmem1= (GB/s) and +latency0=, +latency1= (cycles, "
             "or e.g. 80ns)",
             memory));
  }
  if (found == 0 && std::strchr(memory, '+')) memory_name = memory;
  if (found != 0) {
    std::string known;
    for (int i = 0; systole_axi_preset_name(i); i++) {
      known += (i ? ", " : "") + std::string(systole_axi_preset_name(i));
    }
    throw Failure(
        SYSTOLE_ERR_ARGUMENT,
        text("there is no memory preset \"%s\"; known ones: %s", memory, known.c_str()));
  }
  if (bytes > kLargestMemoryBytes) {
    throw Failure(
        SYSTOLE_ERR_ARGUMENT,
        text("%" PRIu64 " bytes of simulated memory were asked for; at most %" PRIu64
             " are possible",
             bytes, kLargestMemoryBytes));
  }
  try {
    for (int i = 0; i < 2; i++) {
      store[i] = systole_axi_store_create(kBase[i], bytes);
      if (!store[i]) {
        throw Failure(
            SYSTOLE_ERR_HOST_MEMORY,
            text("cannot reserve %" PRIu64 " bytes of address space for the simulated "
                 "memory of %s (%s); ask for less with memory_bytes",
                 bytes, names[i], std::strerror(errno)));
      }
      systole_axi_port_init(&port[i], store[i], kAxiBytes, &timing[i]);
      systole_axi_checker_init(&checker_[i], names[i], kAxiBytes);
    }
    systole_axi_lite_checker_init(&control_checker_, "s_axi_control");
    Current current(this);
    build();
    if (!trace_path_.empty()) open_trace();
    pulse_reset();
  } catch (...) {
    top_.reset();
    context_.reset();
    for (auto *s : store) systole_axi_store_free(s);
    throw;
  }
}

systole_rtl::~systole_rtl() {
  Current current(this);
  close_trace();
  if (top_ && !broken_) top_->final();
  top_.reset();
  context_.reset();
  for (auto *s : store) systole_axi_store_free(s);
}

void systole_rtl::build() {
  top_.reset();
  context_ = std::make_unique<VerilatedContext>();
  Verilated::threadContextp(context_.get());
  context_->fatalOnError(false);
#if SYSTOLE_RTL_DEBUG
  context_->timeunit(-12);
  context_->timeprecision(-12);
  context_->traceEverOn(!trace_path_.empty());
#endif
  top_ = std::make_unique<Vsystole>(context_.get(), "TOP");
  pins_ = top_->rootp;
  top_->eval();  // initial blocks; parameter checks stop here
#if SYSTOLE_OWN_EDGES
  pins_->ap_clk = 1;  // and stays there: edges are called, not found
#endif
  broken_ = 0;
  fail_if_stopped();
}

// ---- one clock cycle
// --------------------------------------------------------------------

// Both memory ports for this cycle: inputs of the kernel are set, transfers are done.
template <bool Checked>
inline void systole_rtl::memory_cycle() {
  Pins &p = *pins_;
  systole_axi_port &a = port[0];
  systole_axi_port &b = port[1];
  if (__builtin_expect(a.stalling, 0)) systole_axi_port_draw(&a);
  if (__builtin_expect(b.stalling, 0)) systole_axi_port_draw(&b);
  const bool read0 =
      p.m_axi_gmem0_arvalid | p.m_axi_gmem0_rvalid | !systole_axi_read_idle(&a, cycle);
  const bool write0 = p.m_axi_gmem0_awvalid | p.m_axi_gmem0_wvalid |
                      p.m_axi_gmem0_bvalid | !systole_axi_write_idle(&a, cycle);
  const bool read1 =
      p.m_axi_gmem1_arvalid | p.m_axi_gmem1_rvalid | !systole_axi_read_idle(&b, cycle);
  if (read0) {
    if (systole_axi_read_present(&a, cycle)) {
      std::memcpy(&p.m_axi_gmem0_rdata, a.r_data, kAxiBytes);
      p.m_axi_gmem0_rlast = a.r_last;
      p.m_axi_gmem0_rresp = a.r_response;
    }
    p.m_axi_gmem0_arready = a.ar_ready;
    p.m_axi_gmem0_rvalid = a.r_valid;
  }
  if (write0) {
    systole_axi_write_present(&a, cycle);
    p.m_axi_gmem0_awready = a.aw_ready;
    p.m_axi_gmem0_wready = a.w_ready;
    p.m_axi_gmem0_bvalid = a.b_valid;
    p.m_axi_gmem0_bresp = a.b_response;
  }
  if (read1) {
    if (systole_axi_read_present(&b, cycle)) {
      std::memcpy(&p.m_axi_gmem1_rdata, b.r_data, kAxiBytes);
      p.m_axi_gmem1_rlast = b.r_last;
      p.m_axi_gmem1_rresp = b.r_response;
    }
    p.m_axi_gmem1_arready = b.ar_ready;
    p.m_axi_gmem1_rvalid = b.r_valid;
  }
  if (Checked) check();
  if (read0) {
    systole_axi_read_accept(&a, cycle, p.m_axi_gmem0_arvalid, p.m_axi_gmem0_araddr,
                            p.m_axi_gmem0_arlen, p.m_axi_gmem0_rready);
  }
  if (write0) {
    systole_axi_write_accept(&a, cycle, p.m_axi_gmem0_awvalid, p.m_axi_gmem0_awaddr,
                             p.m_axi_gmem0_awlen, p.m_axi_gmem0_wvalid,
                             &p.m_axi_gmem0_wdata, p.m_axi_gmem0_wstrb,
                             p.m_axi_gmem0_bready, kAxiBytes);
  }
  if (read1) {
    systole_axi_read_accept(&b, cycle, p.m_axi_gmem1_arvalid, p.m_axi_gmem1_araddr,
                            p.m_axi_gmem1_arlen, p.m_axi_gmem1_rready);
  }
}

// The falling edge in the middle of the cycle, then the rising edge that ends it.
template <bool Traced>
inline void systole_rtl::edges() {
#if SYSTOLE_OWN_EDGES
  systole_cycle(pins_);
#else
  pins_->ap_clk = 0;
  evaluate();
  if (Traced) dump(0);
  pins_->ap_clk = 1;
  evaluate();
  if (Traced) dump(1);
#endif
  cycle++;
}

template <bool Checked, bool Traced>
inline void systole_rtl::tick() {
  memory_cycle<Checked>();
  edges<Traced>();
}

// Up to `count` cycles; ends early when the interrupt rises or something stops the model.
template <bool Checked, bool Traced>
void systole_rtl::run(uint64_t count) {
  while (count-- != 0) {
    tick<Checked, Traced>();
    if (__builtin_expect(pins_->__SYM__interrupt | stopped_, 0)) return;
  }
}

void systole_rtl::run_cycles(uint64_t count) {
#if SYSTOLE_RTL_DEBUG
  if (trace_armed_) {
    checked_ ? run<true, true>(count) : run<false, true>(count);
    return;
  }
#endif
  checked_ ? run<true, false>(count) : run<false, false>(count);
}

// One cycle outside the run loop.
void systole_rtl::step() {
#if SYSTOLE_RTL_DEBUG
  if (trace_armed_) {
    checked_ ? tick<true, true>() : tick<false, true>();
    return;
  }
#endif
  checked_ ? tick<true, false>() : tick<false, false>();
}

// The protocol checkers look at the wires just before the rising edge. The extra
// evaluation shows an output that depends on an input within the cycle: the run loop
// evaluates only at edges and would miss it, and on a card it would be a long
// combinational path.
void systole_rtl::check() {
  Pins &p = *pins_;
  const unsigned before = p.m_axi_gmem0_arvalid | p.m_axi_gmem0_rready << 1 |
                          p.m_axi_gmem0_awvalid << 2 | p.m_axi_gmem0_wvalid << 3 |
                          p.m_axi_gmem0_bready << 4 | p.m_axi_gmem1_arvalid << 5 |
                          p.m_axi_gmem1_rready << 6;
  evaluate();
  const unsigned after = p.m_axi_gmem0_arvalid | p.m_axi_gmem0_rready << 1 |
                         p.m_axi_gmem0_awvalid << 2 | p.m_axi_gmem0_wvalid << 3 |
                         p.m_axi_gmem0_bready << 4 | p.m_axi_gmem1_arvalid << 5 |
                         p.m_axi_gmem1_rready << 6;
  if (before != after && !stopped_) {
    static const char *const names[7] = {"m_axi_gmem0_arvalid", "m_axi_gmem0_rready",
                                         "m_axi_gmem0_awvalid", "m_axi_gmem0_wvalid",
                                         "m_axi_gmem0_bready",  "m_axi_gmem1_arvalid",
                                         "m_axi_gmem1_rready"};
    const int which = __builtin_ctz(before ^ after);
    stopped_ = 1;
    stop_story_ = text("AXI protocol error in cycle %" PRIu64
                       ": OutputsAreRegistered: %s depends on an input of the same cycle",
                       cycle, names[which]);
  }
  systole_axi_wires w = {};
  w.reset_n = p.ap_rst_n;
  w.ar_valid = p.m_axi_gmem0_arvalid, w.ar_ready = p.m_axi_gmem0_arready;
  w.ar_address = p.m_axi_gmem0_araddr, w.ar_length = p.m_axi_gmem0_arlen;
  w.ar_size = p.m_axi_gmem0_arsize, w.ar_burst = p.m_axi_gmem0_arburst;
  w.r_valid = p.m_axi_gmem0_rvalid, w.r_ready = p.m_axi_gmem0_rready;
  w.r_last = p.m_axi_gmem0_rlast, w.r_response = p.m_axi_gmem0_rresp;
  w.r_data = &p.m_axi_gmem0_rdata;
  w.aw_valid = p.m_axi_gmem0_awvalid, w.aw_ready = p.m_axi_gmem0_awready;
  w.aw_address = p.m_axi_gmem0_awaddr, w.aw_length = p.m_axi_gmem0_awlen;
  w.aw_size = p.m_axi_gmem0_awsize, w.aw_burst = p.m_axi_gmem0_awburst;
  w.w_valid = p.m_axi_gmem0_wvalid, w.w_ready = p.m_axi_gmem0_wready;
  w.w_last = p.m_axi_gmem0_wlast, w.w_strobe = p.m_axi_gmem0_wstrb;
  w.w_data = &p.m_axi_gmem0_wdata;
  w.b_valid = p.m_axi_gmem0_bvalid, w.b_ready = p.m_axi_gmem0_bready;
  w.b_response = p.m_axi_gmem0_bresp;
  systole_axi_checker_cycle(&checker_[0], cycle, &w);
  w = {};
  w.reset_n = p.ap_rst_n;
  w.ar_valid = p.m_axi_gmem1_arvalid, w.ar_ready = p.m_axi_gmem1_arready;
  w.ar_address = p.m_axi_gmem1_araddr, w.ar_length = p.m_axi_gmem1_arlen;
  w.ar_size = p.m_axi_gmem1_arsize, w.ar_burst = p.m_axi_gmem1_arburst;
  w.r_valid = p.m_axi_gmem1_rvalid, w.r_ready = p.m_axi_gmem1_rready;
  w.r_last = p.m_axi_gmem1_rlast, w.r_response = p.m_axi_gmem1_rresp;
  w.r_data = &p.m_axi_gmem1_rdata;
  systole_axi_checker_cycle(&checker_[1], cycle, &w);
  check_control();
  if (!stopped_) {
    const char *found = checker_[0].broken        ? checker_[0].story
                        : checker_[1].broken      ? checker_[1].story
                        : control_checker_.broken ? control_checker_.story
                                                  : nullptr;
    if (found) {
      stopped_ = 1;
      stop_story_ = found;
    }
  }
}

void systole_rtl::check_control() {
  const Pins &p = *pins_;
  systole_axi_lite_wires w = {};
  w.reset_n = p.ap_rst_n;
  w.ar_valid = p.s_axi_control_arvalid, w.ar_ready = p.s_axi_control_arready;
  w.r_valid = p.s_axi_control_rvalid, w.r_ready = p.s_axi_control_rready;
  w.r_data = p.s_axi_control_rdata, w.r_response = p.s_axi_control_rresp;
  w.aw_valid = p.s_axi_control_awvalid, w.aw_ready = p.s_axi_control_awready;
  w.w_valid = p.s_axi_control_wvalid, w.w_ready = p.s_axi_control_wready;
  w.b_valid = p.s_axi_control_bvalid, w.b_ready = p.s_axi_control_bready;
  w.b_response = p.s_axi_control_bresp;
  systole_axi_lite_checker_cycle(&control_checker_, cycle, &w);
}

void systole_rtl::fail_if_stopped() {
  if (stopped_) throw Failure(SYSTOLE_ERR_DEVICE, stop_story_);
}

void systole_rtl::idle(uint64_t count) {
  while (count != 0 && !stopped_) {
    const uint64_t before = cycle;
    run_cycles(count);
    count -= cycle - before;
  }
  fail_if_stopped();
}

// ---- control port
// -----------------------------------------------------------------------

uint32_t systole_rtl::control_read(uint32_t offset) {
  Pins &p = *pins_;
  uint32_t value = 0;
  fail_if_stopped();
  p.s_axi_control_araddr = static_cast<SData>(offset & 0xFFF);
  p.s_axi_control_arvalid = 1;
  p.s_axi_control_rready = 1;
  bool accepted = false, answered = false;
  int response = 0;
  for (int i = 0; i < kControlPatience && !answered; i++) {
    evaluate();
    const bool take_address = p.s_axi_control_arvalid && p.s_axi_control_arready;
    if (p.s_axi_control_rvalid && accepted) {
      value = p.s_axi_control_rdata;
      response = p.s_axi_control_rresp;
      answered = true;
    }
    step();
    if (take_address) {
      accepted = true;
      p.s_axi_control_arvalid = 0;
    }
  }
  p.s_axi_control_arvalid = 0;
  p.s_axi_control_rready = 0;
  fail_if_stopped();
  if (!answered || response != 0) {
    throw Failure(
        SYSTOLE_ERR_DEVICE,
        answered ? text("the control port refused to read register 0x%03x (response %d)",
                        offset, response)
                 : text("the control port did not answer a read of register 0x%03x "
                        "within %d cycles",
                        offset, kControlPatience));
  }
  return value;
}

void systole_rtl::control_write(uint32_t offset, uint32_t value) {
  Pins &p = *pins_;
  fail_if_stopped();
  p.s_axi_control_awaddr = static_cast<SData>(offset & 0xFFF);
  p.s_axi_control_awvalid = 1;
  p.s_axi_control_wdata = value;
  p.s_axi_control_wstrb = 0xF;
  p.s_axi_control_wvalid = 1;
  p.s_axi_control_bready = 1;
  bool answered = false;
  int response = 0;
  for (int i = 0; i < kControlPatience && !answered; i++) {
    evaluate();
    const bool take_address = p.s_axi_control_awvalid && p.s_axi_control_awready;
    const bool take_data = p.s_axi_control_wvalid && p.s_axi_control_wready;
    if (p.s_axi_control_bvalid) {
      response = p.s_axi_control_bresp;
      answered = true;
    }
    step();
    if (take_address) p.s_axi_control_awvalid = 0;
    if (take_data) p.s_axi_control_wvalid = 0;
  }
  p.s_axi_control_awvalid = 0;
  p.s_axi_control_wvalid = 0;
  p.s_axi_control_bready = 0;
  fail_if_stopped();
  if (!answered || response != 0) {
    throw Failure(
        SYSTOLE_ERR_DEVICE,
        answered ? text("the control port refused to write register 0x%03x (response %d)",
                        offset, response)
                 : text("the control port did not answer a write of register 0x%03x "
                        "within %d cycles",
                        offset, kControlPatience));
  }
}

// ---- runs
// -------------------------------------------------------------------------------

void systole_rtl::start(uint64_t program, uint64_t weights, uint64_t activations,
                        uint32_t instructions) {
  CpuTimer timer(cpu_seconds);
  if (running_) {
    throw Failure(SYSTOLE_ERR_DEVICE,
                  "a run was started while another one is going; wait for it "
                  "or reset the device");
  }
  fail_if_stopped();
  said_.clear();
#if SYSTOLE_RTL_DEBUG
  if (trace_) {
    if (runs_ == trace_run_) trace_origin_ = cycle;
    trace_armed_ = runs_ == trace_run_ || (trace_cycles_ == 0 && runs_ > trace_run_);
  }
#endif
  // Stalls depend on the seed and the number of the run, not on how long the host pauses.
  for (uint64_t i = 0; i < 2; i++) {
    systole_axi_port_stall(&port[i], stall_seed_ ? (stall_seed_ + runs_) * 2 + i + 1 : 0);
  }
  runs_++;
  control_write(SYSTOLE_REG_PROGRAM, static_cast<uint32_t>(program));
  control_write(SYSTOLE_REG_PROGRAM + 4, static_cast<uint32_t>(program >> 32));
  control_write(SYSTOLE_REG_WEIGHTS, static_cast<uint32_t>(weights));
  control_write(SYSTOLE_REG_WEIGHTS + 4, static_cast<uint32_t>(weights >> 32));
  control_write(SYSTOLE_REG_ACTIVATIONS, static_cast<uint32_t>(activations));
  control_write(SYSTOLE_REG_ACTIVATIONS + 4, static_cast<uint32_t>(activations >> 32));
  control_write(SYSTOLE_REG_INSTRUCTIONS, instructions);
  control_write(SYSTOLE_REG_INTERRUPT_MASK, 1);
  control_write(SYSTOLE_REG_INTERRUPT_ENABLE, 1);
  running_ = 1;
  polled_at_ = cycle;
  polled_error_ = 0;
  beats_seen_ = beats();
  last_progress_s_ = seconds_of(CLOCK_MONOTONIC);
  control_write(SYSTOLE_REG_CONTROL, 1);
}

// Ends a run whose interrupt is up: done is read (which clears it), the interrupt
// acknowledged.
void systole_rtl::finish_run() {
  if (checked_) {
    for (auto &checker : checker_) {
      if (systole_axi_checker_done(&checker, cycle) && !stopped_) {
        stopped_ = 1;
        stop_story_ = checker.story;
      }
    }
    fail_if_stopped();
  }
  const uint32_t control = control_read(SYSTOLE_REG_CONTROL);
  control_write(SYSTOLE_REG_INTERRUPT_STATUS, 1);
  if (!(control & 2)) {
    throw Failure(
        SYSTOLE_ERR_DEVICE,
        text("the interrupt rose without done (control register 0x%08x)", control));
  }
  running_ = 0;
#if SYSTOLE_RTL_DEBUG
  if (trace_armed_) {
    trace_armed_ = false;
    if (trace_) {
      // Flushing takes effect at the next change of time.
      trace_->flush();
      trace_->dump(
          static_cast<uint64_t>((static_cast<double>(cycle) + 0.25) * 1e6 / clock_mhz));
    }
    check_trace_file();
  }
#endif
}

// A memory that never answers leaves the kernel busy, with the cause in its error
// register: ErrorMemory, or another one when the run had failed before and now cannot
// drain. Waiting is then in vain. The second kind is believed when two looks in a row see
// it and no data moves.
void systole_rtl::poll_error() {
  polled_at_ = cycle;
  const uint32_t error = control_read(SYSTOLE_REG_ERROR_CODE);
  const uint32_t code = error & 0xFF;
  const bool stuck = code != 0 && error == polled_error_ && beats() == polled_beats_;
  polled_error_ = error;
  polled_beats_ = beats();
  if (pins_->__SYM__interrupt || (code != SYSTOLE_ERROR_MEMORY && !stuck)) return;
  const uint32_t index = control_read(SYSTOLE_REG_ERROR_INDEX);
  throw Failure(
      SYSTOLE_ERR_TIMEOUT,
      text("the memory does not answer (error code %u, unit %u, instruction %u): the "
           "kernel stays busy and must be reset",
           code, error >> 8 & 0xFF, index));
}

// A failure stays until reset; registers can still be read unless the RTL itself has
// stopped.
bool systole_rtl::wait(uint32_t slice_ms) {
  CpuTimer timer(cpu_seconds);
  fail_if_stopped();
  if (wait_failure_) throw *wait_failure_;
  try {
    return advance(slice_ms);
  } catch (const Failure &failure) {
    wait_failure_ = std::make_unique<Failure>(failure);
    throw;
  }
}

bool systole_rtl::advance(uint32_t slice_ms) {
  if (!running_) return true;
  const double begin = seconds_of(CLOCK_MONOTONIC);
  const double deadline = begin + 1e-3 * slice_ms;
  for (;;) {
    if (!pins_->__SYM__interrupt) run_cycles(kTimeCheckCycles);
    fail_if_stopped();
    if (pins_->__SYM__interrupt) {
      finish_run();
      return true;
    }
    if (cycle - polled_at_ >= kErrorPollCycles) poll_error();
    const double now = seconds_of(CLOCK_MONOTONIC);
    const uint64_t moved = beats();
    if (moved != beats_seen_) {
      beats_seen_ = moved;
      last_progress_s_ = now;
    } else if (now - last_progress_s_ > 1e-3 * timeout_ms_) {
      throw Failure(
          SYSTOLE_ERR_TIMEOUT,
          text("the kernel moved no data for %u ms and is not done after %" PRIu64
               " cycles; it must be reset",
               timeout_ms_, cycle));
    }
    if (now >= deadline) return false;
  }
}

// Registers of the kernel, the ports and the checkers as after power-up; memory stays.
void systole_rtl::pulse_reset() {
  Pins &p = *pins_;
  stopped_ = 0;
  running_ = 0;
  wait_failure_.reset();
  said_.clear();
  stop_story_.clear();
  context_->gotError(false);
  context_->gotFinish(false);
  for (auto &one : port) {
    systole_axi_port_stall(&one, 0);
    systole_axi_port_reset(&one);
  }
  p.s_axi_control_arvalid = p.s_axi_control_rready = 0;
  p.s_axi_control_awvalid = p.s_axi_control_wvalid = p.s_axi_control_bready = 0;
  p.m_axi_gmem0_arready = p.m_axi_gmem0_awready = p.m_axi_gmem1_arready = 0;
  p.m_axi_gmem0_rvalid = p.m_axi_gmem0_wready = p.m_axi_gmem0_bvalid = 0;
  p.m_axi_gmem1_rvalid = 0;
  for (auto &checker : checker_) systole_axi_checker_reset(&checker);
  systole_axi_lite_checker_init(&control_checker_, "s_axi_control");
  p.ap_rst_n = 0;
  evaluate();  // the checkers shall not take this for an output that follows an input
  // The memories stand still: an address that is still up when reset begins is not taken.
  for (int i = 0; i < kResetCycles; i++) {
    if (checked_) check();
    edges<false>();
  }
  p.m_axi_gmem0_arready = p.m_axi_gmem0_awready = p.m_axi_gmem1_arready = 1;
  p.ap_rst_n = 1;
  for (int i = 0; i < 4; i++) step();
  fail_if_stopped();
}

void systole_rtl::reset() {
  if (broken_) {
    stopped_ = 0;
    build();
  }
  pulse_reset();
}

// ---- waveform
// ---------------------------------------------------------------------------

#if SYSTOLE_RTL_DEBUG

void systole_rtl::open_trace() {
  // The writer itself does not say why it fails, so the path is tried first.
  struct stat info;
  const int file = open(trace_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) {
    throw Failure(SYSTOLE_ERR_IO, text("cannot write the waveform %s: %s",
                                       trace_path_.c_str(), std::strerror(errno)));
  }
  const bool regular = fstat(file, &info) == 0 && S_ISREG(info.st_mode);
  close(file);
  if (!regular) {
    throw Failure(SYSTOLE_ERR_IO,
                  text("cannot write the waveform %s: it is not a regular file",
                       trace_path_.c_str()));
  }
  // The writer maps temporary files there, and a full disk under a mapping ends the
  // process.
  struct statvfs room;
  if (statvfs(P_tmpdir, &room) == 0 &&
      static_cast<uint64_t>(room.f_bavail) * room.f_frsize < kTraceTemporaryBytes) {
    throw Failure(SYSTOLE_ERR_IO,
                  text("cannot write the waveform %s: its temporary files need %" PRIu64
                       " bytes in %s, and less is free",
                       trace_path_.c_str(), kTraceTemporaryBytes, P_tmpdir));
  }
  trace_ = std::make_unique<VerilatedFstC>();
  trace_->set_time_unit("1ps");
  trace_->set_time_resolution("1ps");
  top_->trace(trace_.get(), 99);
  trace_->open(trace_path_.c_str());
  if (!trace_->isOpen()) {
    trace_.reset();
    throw Failure(SYSTOLE_ERR_IO,
                  text("cannot write the waveform %s", trace_path_.c_str()));
  }
}

void systole_rtl::close_trace() {
  if (trace_) trace_->close();
  trace_.reset();
}

// The writer does not report a full disk. It writes blocks of a type byte and a length
// (big-endian, counted from itself on); when those do not lead to the end of the file,
// something is missing. Names and the last block are written when the waveform is closed,
// where no status can be returned: room for them is asked for now.
void systole_rtl::check_trace_file() {
  std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(trace_path_.c_str(), "rb"),
                                              std::fclose);
  struct stat info;
  bool whole = file && fstat(fileno(file.get()), &info) == 0;
  uint64_t at = 0;
  while (whole && at < static_cast<uint64_t>(info.st_size)) {
    unsigned char head[9];
    whole = std::fseek(file.get(), static_cast<long>(at), SEEK_SET) == 0 &&
            std::fread(head, 1, sizeof head, file.get()) == sizeof head;
    if (!whole) break;
    uint64_t length = 0;
    for (int i = 1; i < 9; i++) length = length << 8 | head[i];
    if (head[0] == 255) break;  // a block that is being written
    whole = length >= 8 && length <= static_cast<uint64_t>(info.st_size) - at - 1;
    at += 1 + length;
  }
  struct statvfs room;
  if (trace_ && statvfs(trace_path_.c_str(), &room) == 0 &&
      static_cast<uint64_t>(room.f_bavail) * room.f_frsize < kTraceRoomBytes) {
    whole = false;
  }
  if (!whole) {
    throw Failure(SYSTOLE_ERR_IO,
                  text("the waveform %s is incomplete: no space is left on its "
                       "disk",
                       trace_path_.c_str()));
  }
}

// half 0: after the falling edge of this cycle, 1: after the rising edge that ends it.
void systole_rtl::dump(int half) {
  if (!trace_) return;
  const uint64_t age = cycle - trace_origin_;
  if (age < trace_first_) return;
  if (trace_cycles_ != 0 && age - trace_first_ >= trace_cycles_) {
    close_trace();  // finish_run checks the file
    return;
  }
  const double period_ps = 1e6 / clock_mhz;
  trace_->dump(
      static_cast<uint64_t>((static_cast<double>(cycle) + 0.5 + 0.5 * half) * period_ps));
}

#else

void systole_rtl::open_trace() {
  throw Failure(SYSTOLE_ERR_UNSUPPORTED, "this model was built without waveforms");
}
void systole_rtl::close_trace() {}
void systole_rtl::dump(int) {}

#endif

// ---- the C face
// -------------------------------------------------------------------------

namespace {

// Runs `body` for `model`; whatever is thrown becomes a status and the model's story.
template <class Body>
systole_status guarded(systole_rtl *model, Body body) noexcept {
  try {
    Current current(model);
    body();
    return SYSTOLE_OK;
  } catch (const Failure &failure) {
    model->story = failure.what();
    return failure.status;
  } catch (const std::bad_alloc &) {
    model->story = "this machine is out of memory";
    return SYSTOLE_ERR_HOST_MEMORY;
  } catch (const std::exception &other) {
    model->story = std::string("the RTL cannot be evaluated: ") + other.what();
    model->set_broken();
    return SYSTOLE_ERR_DEVICE;
  } catch (...) {
    model->story = "the RTL cannot be evaluated";
    model->set_broken();
    return SYSTOLE_ERR_DEVICE;
  }
}

systole_status api_create(systole_rtl **out, const systole_device_options *options,
                          char *story, size_t story_bytes) {
  *out = nullptr;
  try {
    *out = new systole_rtl(*options);
    return SYSTOLE_OK;
  } catch (const Failure &failure) {
    snprintf(story, story_bytes, "%s", failure.what());
    return failure.status;
  } catch (const std::bad_alloc &) {
    snprintf(story, story_bytes, "this machine is out of memory");
    return SYSTOLE_ERR_HOST_MEMORY;
  } catch (const std::exception &other) {
    snprintf(story, story_bytes, "the RTL cannot be evaluated: %s", other.what());
    return SYSTOLE_ERR_DEVICE;
  } catch (...) {
    snprintf(story, story_bytes, "the RTL cannot be evaluated");
    return SYSTOLE_ERR_DEVICE;
  }
}

void api_destroy(systole_rtl *model) {
  try {
    delete model;
  } catch (...) {
    // Nothing is left to be told to.
  }
}

const char *api_story(const systole_rtl *model) { return model->story.c_str(); }

systole_status api_read_register(systole_rtl *model, uint32_t offset, uint32_t *value) {
  *value = 0;
  return guarded(model, [&] { *value = model->control_read(offset); });
}

systole_status api_write_register(systole_rtl *model, uint32_t offset, uint32_t value) {
  return guarded(model, [&] { model->control_write(offset, value); });
}

systole_status api_alloc(systole_rtl *model, int port, uint64_t bytes,
                         uint64_t *address) {
  *address = systole_axi_store_alloc(model->store[port], bytes);
  if (*address) return SYSTOLE_OK;
  return guarded(model, [&] {
    uint64_t used, longest;
    systole_axi_store_usage(model->store[port], &used, &longest);
    throw Failure(
        SYSTOLE_ERR_DEVICE_MEMORY,
        text("%" PRIu64 " bytes of device memory on gmem%d were asked for; %" PRIu64
             " of %" PRIu64 " are in use and the longest free block has %" PRIu64,
             bytes, port, used, model->store[port]->bytes, longest));
  });
}

systole_status api_release(systole_rtl *model, int port, uint64_t address) {
  if (address == 0 || systole_axi_store_release(model->store[port], address) == 0) {
    return SYSTOLE_OK;
  }
  return guarded(model, [&] {
    throw Failure(SYSTOLE_ERR_ARGUMENT,
                  text("0x%" PRIx64 " is no block of gmem%d", address, port));
  });
}

// The bytes address ... address + bytes - 1 of the memory behind `port`.
uint8_t *locate(systole_rtl *model, int port, uint64_t address, uint64_t bytes) {
  uint8_t *at = systole_axi_store_at(model->store[port], address, bytes);
  if (!at) {
    throw Failure(
        SYSTOLE_ERR_ARGUMENT,
        text("%" PRIu64 " bytes at 0x%" PRIx64
             " are not in the memory of gmem%d (0x%" PRIx64 ", %" PRIu64 " bytes)",
             bytes, address, port, model->store[port]->base, model->store[port]->bytes));
  }
  return at;
}

systole_status api_write(systole_rtl *model, int port, uint64_t address, const void *data,
                         uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  return guarded(model,
                 [&] { std::memcpy(locate(model, port, address, bytes), data, bytes); });
}

systole_status api_read(systole_rtl *model, int port, uint64_t address, void *data,
                        uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  return guarded(model,
                 [&] { std::memcpy(data, locate(model, port, address, bytes), bytes); });
}

systole_status api_start(systole_rtl *model, uint64_t program, uint64_t weights,
                         uint64_t activations, uint32_t instructions) {
  return guarded(model,
                 [&] { model->start(program, weights, activations, instructions); });
}

systole_status api_wait(systole_rtl *model, uint32_t slice_ms, int *done) {
  *done = 0;
  return guarded(model, [&] { *done = model->wait(slice_ms) ? 1 : 0; });
}

systole_status api_reset(systole_rtl *model) {
  return guarded(model, [&] { model->reset(); });
}

const char *api_memory_name(const systole_rtl *model) {
  return model->memory_name.empty() ? model->timing[0].name : model->memory_name.c_str();
}
double api_clock_mhz(const systole_rtl *model) { return model->clock_mhz; }
double api_run_cpu_seconds(const systole_rtl *model) { return model->cpu_seconds; }
uint64_t api_cycles(const systole_rtl *model) { return model->cycle; }

systole_status api_idle(systole_rtl *model, uint64_t count) {
  return guarded(model, [&] { model->idle(count); });
}

void api_traffic(const systole_rtl *model, int port, systole_rtl_traffic *out) {
  out->read_beats = model->port[port].read_beats;
  out->write_beats = model->port[port].write_beats;
  out->written_bytes = model->port[port].written_bytes;
}

int api_fault(systole_rtl *model, int port, const systole_axi_fault *fault) {
  return systole_axi_port_fault(&model->port[port], fault);
}

void api_hang(systole_rtl *model, int port, int channels) {
  systole_axi_port_hang(&model->port[port], channels);
}

void api_heal(systole_rtl *model, int port) { systole_axi_port_heal(&model->port[port]); }

void api_attach(systole_rtl *model, int number, const systole_axi_store *store) {
  systole_axi_port_init(&model->port[number], store, kAxiBytes, &model->timing[number]);
}

constexpr systole_rtl_api kApi = {
    SYSTOLE_RTL_API_VERSION,
    SYSTOLE_RTL_DIM,
    static_cast<int>(kAxiBytes),
    SYSTOLE_RTL_FLAT,
    SYSTOLE_RTL_DEBUG,
    systole_axi_preset_name,
    api_create,
    api_destroy,
    api_story,
    api_read_register,
    api_write_register,
    api_alloc,
    api_release,
    api_write,
    api_read,
    api_start,
    api_wait,
    api_reset,
    api_memory_name,
    api_clock_mhz,
    api_run_cpu_seconds,
    api_cycles,
    api_idle,
    api_traffic,
    api_fault,
    api_hang,
    api_heal,
    api_attach,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const systole_rtl_api *
systole_rtl_entry(void) {
  return &kApi;
}

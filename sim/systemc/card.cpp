// A platform behind the C face of systole_systemc.h: one simulation kernel each, in which
// the CPU does what the host asks for.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <new>
#include <string>

#include "card/systole_isa.h"
#include "kernel.h"
#include "platform.h"
#include "systole_systemc.h"

extern "C" {
#include "support/clock.h"
}

// SystemC's library has the `main` of simulations, which wants this function. Nobody
// calls that here.
extern "C" __attribute__((visibility("default"))) int sc_main(int, char **) { return 1; }

namespace {

// Cycles: 64 bursts of 256 beats, and as much for the others.
constexpr int kMostUnderWay = 2 * 64 * 256;

// A failure that has a status of its own.
class failure : public std::runtime_error {
 public:
  failure(systole_status status, const std::string &story)
      : std::runtime_error(story), status_(status) {}
  systole_status status() const { return status_; }

 private:
  systole_status status_;
};

std::string text(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string text(const char *format, ...) {
  char line[512];
  va_list list;
  va_start(list, format);
  (void)std::vsnprintf(line, sizeof line, format, list);
  va_end(list);
  return line;
}

}  // namespace

struct systole_systemc {
  systole::kernel kernel;
  std::unique_ptr<systole::platform> platform;
  std::string story;
  bool running = false;
  double cpu_seconds = 0.0, until = 0.0;  // the slice's end
  double clock_mhz = 300.0;
  std::uint64_t memory_bytes = 0;
};

namespace {

// Calls `work` in a turn of the kernel; what it throws becomes a status and a story.
template <typename Work>
systole_status in_turn(systole_systemc *s, Work work) {
  try {
    systole::kernel::turn turn(s->kernel);
    work();
    return SYSTOLE_OK;
  } catch (const failure &f) {
    s->story = f.what();
    return f.status();
  } catch (const std::bad_alloc &) {
    s->story = "no memory is left for the SystemC platform";
    return SYSTOLE_ERR_HOST_MEMORY;
  } catch (const sc_core::sc_report &report) {
    s->story = std::string("SystemC reports: ") + report.get_msg();
  } catch (const std::exception &e) {
    s->story = e.what();
  }
  return SYSTOLE_ERR_INTERNAL;
}

void check_port(int port) {
  if (port != 0 && port != 1) {
    throw failure(SYSTOLE_ERR_ARGUMENT, text("there is no port gmem%d", port));
  }
}

// A run that is still going is abandoned, its thread back where it waits.
void make_idle(systole_systemc *s) {
  s->platform->device.reset();
  s->until = 0.0;
  while (s->platform->device.busy() && sc_core::sc_pending_activity())
    sc_core::sc_start();
  s->running = false;
}

void destroy(systole_systemc *s) {
  if (s == nullptr) return;
  (void)in_turn(s, [s] {
    if (s->platform) make_idle(s);
    s->platform.reset();
    s->kernel.end();
  });
  delete s;
}

systole_status create(systole_systemc **out, const systole_systemc_options *options,
                      char *story, size_t story_bytes) {
  *out = nullptr;
  /* The model knows what is wrong with options. */
  systole_model_bus none{};
  systole_model_options asked = options->model;
  systole_model *probe = nullptr;
  asked.bus = &none;
  systole_status status = systole_model_create(&probe, &asked);
  systole_model_free(probe);
  if (status != SYSTOLE_OK) {
    (void)std::snprintf(story, story_bytes, "%s", systole_last_error());
    return status;
  }
  auto *s = new (std::nothrow) systole_systemc;
  if (s == nullptr) return SYSTOLE_ERR_HOST_MEMORY;
  status = in_turn(s, [s, options] {
    const systole_model_options &m = options->model;
    systole::platform_options o(m.geometry.dim);
    o.accelerator.geometry = m.geometry;
    if (m.clock_mhz > 0) o.accelerator.clock_mhz = m.clock_mhz;
    if (m.memory != nullptr) o.accelerator.memory = m.memory;
    o.accelerator.timing =
        options->loose ? systole::timing::loose : systole::timing::approximate;
    o.accelerator.quantum = sc_core::sc_time(
        options->quantum_ns > 0 ? options->quantum_ns : 1000, sc_core::SC_NS);
    o.accelerator.data = !m.timing_only;
    if (m.memory_bytes > 0) o.memory_bytes = m.memory_bytes;
    o.traffic = options->traffic;
    s->clock_mhz = o.accelerator.clock_mhz;
    s->memory_bytes = o.memory_bytes;
    s->platform = std::make_unique<systole::platform>(o);
    s->platform->device.on_pulse([s] {
      if (systole_wall_seconds() > s->until) sc_core::sc_pause();
    });
  });
  if (status != SYSTOLE_OK) {
    (void)std::snprintf(story, story_bytes, "%s", s->story.c_str());
    destroy(s);
    return status;
  }
  *out = s;
  return SYSTOLE_OK;
}

const char *story_of(const systole_systemc *s) { return s->story.c_str(); }

systole_status read_register(systole_systemc *s, uint32_t offset, uint32_t *value) {
  *value = 0;
  return in_turn(s, [=] {
    if (!s->platform->host.read_register(offset, value)) {
      throw failure(SYSTOLE_ERR_DEVICE,
                    text("register 0x%" PRIx32 " does not answer", offset));
    }
  });
}

systole_status alloc(systole_systemc *s, int port, uint64_t bytes, uint64_t *address) {
  *address = 0;
  return in_turn(s, [=] {
    check_port(port);
    *address = s->platform->port(port).alloc(bytes);
    if (*address != 0) return;
    std::uint64_t used, longest;
    s->platform->port(port).usage(&used, &longest);
    throw failure(
        SYSTOLE_ERR_DEVICE_MEMORY,
        text("%" PRIu64 " bytes of device memory behind gmem%d were asked for; %" PRIu64
             " of %" PRIu64 " are in use, and the longest gap has %" PRIu64,
             bytes, port, used, s->memory_bytes, longest));
  });
}

systole_status release(systole_systemc *s, int port, uint64_t address) {
  return in_turn(s, [=] {
    check_port(port);
    if (address != 0) (void)s->platform->port(port).release(address);
  });
}

void check_range(systole_systemc *s, int port, uint64_t address, uint64_t bytes) {
  check_port(port);
  if (s->platform->port(port).at(address, bytes) == nullptr) {
    throw failure(SYSTOLE_ERR_DEVICE,
                  text("%" PRIu64 " bytes at device address 0x%" PRIx64
                       " are not in the memory behind gmem%d",
                       bytes, address, port));
  }
}

systole_status write(systole_systemc *s, int port, uint64_t address, const void *data,
                     uint64_t bytes) {
  return in_turn(s, [=] {
    check_range(s, port, address, bytes);
    if (s->platform->host.write(address, data, bytes)) return;
    throw failure(SYSTOLE_ERR_DEVICE,
                  text("writing %" PRIu64 " bytes at device address 0x%" PRIx64
                       " was answered with an error",
                       bytes, address));
  });
}

systole_status read(systole_systemc *s, int port, uint64_t address, void *data,
                    uint64_t bytes) {
  return in_turn(s, [=] {
    check_range(s, port, address, bytes);
    if (s->platform->host.read(address, data, bytes)) return;
    throw failure(SYSTOLE_ERR_DEVICE,
                  text("reading %" PRIu64 " bytes at device address 0x%" PRIx64
                       " was answered with an error",
                       bytes, address));
  });
}

systole_status start(systole_systemc *s, uint64_t program, uint64_t weights,
                     uint64_t activations, uint32_t instructions) {
  return in_turn(s, [=] {
    if (s->running) {
      throw failure(SYSTOLE_ERR_DEVICE, "a run is going on this platform; wait for it");
    }
    const double cpu = systole_cpu_seconds();
    s->until = 0.0;
    if (!s->platform->start(program, weights, activations, instructions)) {
      throw failure(SYSTOLE_ERR_DEVICE, "the accelerator's registers do not answer");
    }
    s->running = true;
    s->cpu_seconds += systole_cpu_seconds() - cpu;
  });
}

systole_status wait(systole_systemc *s, uint32_t slice_ms, int *done) {
  *done = 0;
  return in_turn(s, [=] {
    const double cpu = systole_cpu_seconds();
    systole::cpu &host = s->platform->host;
    s->until = systole_wall_seconds() + 1e-3 * slice_ms;
    do {
      if (!s->running || host.interrupted) break;
      sc_core::sc_start();
      if (!host.interrupted && !sc_core::sc_pending_activity()) {
        throw failure(SYSTOLE_ERR_TIMEOUT,
                      "nothing moves in the SystemC platform any more; open it again");
      }
    } while (systole_wall_seconds() < s->until);
    if (host.interrupted) s->running = false;
    *done = !s->running;
    s->cpu_seconds += systole_cpu_seconds() - cpu;
  });
}

// Waits for what memory has still to answer, so that the next run finds it at rest.
systole_status reset(systole_systemc *s) {
  return in_turn(s, [=] {
    make_idle(s);
    sc_core::sc_start(s->platform->device.cycle() * kMostUnderWay);
  });
}

double run_cpu_seconds(const systole_systemc *s) { return s->cpu_seconds; }

uint64_t cycles(const systole_systemc *s) {
  double seconds = 0.0;
  auto *mine = const_cast<systole_systemc *>(s);
  (void)in_turn(mine, [&] { seconds = sc_core::sc_time_stamp().to_seconds(); });
  return static_cast<uint64_t>(seconds * 1e6 * s->clock_mhz + 0.5);
}

systole_status refuse(systole_systemc *s, int port, uint64_t first, uint64_t last) {
  return in_turn(s, [=] {
    check_port(port);
    s->platform->port(port).refuse(first, last);
  });
}

uint64_t bursts(const systole_systemc *s) { return s->platform->device.bursts(); }

uint64_t traffic_bytes(const systole_systemc *s) { return s->platform->traffic_bytes(); }

const systole_systemc_api table = {
    SYSTOLE_SYSTEMC_API_VERSION,
    sizeof(systole_systemc_options),
    create,
    destroy,
    story_of,
    read_register,
    alloc,
    release,
    write,
    read,
    start,
    wait,
    reset,
    run_cpu_seconds,
    cycles,
    refuse,
    bursts,
    traffic_bytes,
};

}  // namespace

const systole_systemc_api *systole_systemc_entry(void) { return &table; }

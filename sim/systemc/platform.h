// The platform behind the card: a CPU, the accelerator, two memories, routers between
// them, and, where it is asked for, somebody else who reads from either memory.
#ifndef SYSTOLE_SYSTEMC_PLATFORM_H
#define SYSTOLE_SYSTEMC_PLATFORM_H

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "systole/systemc.h"

namespace systole {

// Does what the host asks for, as software on a processor would: registers by
// b_transport, copies by DMI where it is granted, the end of a run by interrupt.
class cpu : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<cpu> socket;
  sc_core::sc_in<bool> interrupt;

  cpu(sc_core::sc_module_name name, std::uint64_t registers);

  // One access, complete when this returns; for sc_main, in a turn. False: the target
  // answered with an error.
  bool write_register(std::uint32_t offset, std::uint32_t value);
  bool read_register(std::uint32_t offset, std::uint32_t *value);
  bool write(std::uint64_t address, const void *data, std::uint64_t bytes);
  bool read(std::uint64_t address, void *data, std::uint64_t bytes);

  bool interrupted = false;  // set by the interrupt, for the host to clear

 private:
  struct access {
    bool write = false, done = true, good = false;
    std::uint64_t address = 0, bytes = 0;
    std::uint8_t *data = nullptr;
  };
  bool perform(bool write, std::uint64_t address, const void *data, std::uint64_t bytes);
  bool transport(bool write, std::uint64_t address, std::uint8_t *data, unsigned bytes);
  unsigned char *direct(const access &a);
  void work();
  void serve();
  void invalidate(sc_dt::uint64 first, sc_dt::uint64 last);

  std::uint64_t registers_;
  access now_;
  sc_core::sc_event asked_;
  bool has_dmi_ = false;
  tlm::tlm_dmi dmi_;
};

// Reads bursts from one place, again and again, while `on` holds.
class traffic : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<traffic> socket;

  // A burst of `bytes` every `interval` at most.
  traffic(sc_core::sc_module_name name, std::uint64_t address, unsigned bytes,
          sc_core::sc_time interval, std::function<bool()> on);
  void begin() { begin_.notify(sc_core::SC_ZERO_TIME); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void work();

  std::uint64_t address_, bytes_ = 0;
  std::vector<std::uint8_t> data_;
  sc_core::sc_time interval_;
  /* When each burst under way is back. Members, because what lies on the stack of a
   * process is never freed. */
  std::deque<sc_core::sc_time> backs_;
  tlm::tlm_generic_payload payload_;
  std::function<bool()> on_;
  sc_core::sc_event begin_;
};

struct platform_options {
  explicit platform_options(int dim) : accelerator(dim) {}
  accelerator_options accelerator;
  std::uint64_t memory_bytes = std::uint64_t{4} << 30;  // behind each port
  unsigned traffic = 0;  // percent of either memory's bandwidth
};

class platform {
 public:
  explicit platform(const platform_options &options);
  ~platform();
  platform(const platform &) = delete;
  platform &operator=(const platform &) = delete;

  systole::cpu host;
  systole::accelerator device;
  systole::memory gmem0, gmem1;

  systole::memory &port(int number) { return number == 0 ? gmem0 : gmem1; }
  bool start(std::uint64_t program, std::uint64_t weights, std::uint64_t activations,
             std::uint32_t instructions);
  std::uint64_t traffic_bytes() const;

 private:
  systole::router router_, bus0_, bus1_;
  sc_core::sc_signal<bool> interrupt_;
  std::unique_ptr<systole::traffic> traffic_[2];
};

}  // namespace systole

#endif

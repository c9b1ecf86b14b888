// The accelerator as a SystemC module with TLM-2.0 sockets, for virtual platforms. What
// it computes and how long it takes is the fast model (docs/model.md); it holds no second
// one. docs/systemc.md shows how to put it into a platform; memory and router below are
// there for whoever has none.
//
// Link libsystole_systemc and SystemC 2.3.x, and libsystole for a driver; compile as
// C++17.
#ifndef SYSTOLE_SYSTEMC_H
#define SYSTOLE_SYSTEMC_H

#include <systole/systole.h>
#include <tlm_utils/multi_passthrough_initiator_socket.h>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <tlm>

namespace systole {

enum class timing {
  // Cycles are the model's with its own memory; data move as time passes, a quantum at a
  // time, by DMI where it is granted and b_transport elsewhere. Nobody delays anybody.
  loose,
  // Every burst is a transaction of its own at its own time (nb_transport, base protocol,
  // with the data), and the run goes on when memory has answered: who else uses the
  // memory
  // delays it. On memory that answers as the model's does, cycles are the model's.
  approximate
};

struct accelerator_options {
  explicit accelerator_options(int dim = 16);  // 4 ... 1024, a power of two

  systole_geometry geometry;  // what the RTL of that size has
  double clock_mhz = 300.0;
  systole::timing timing = timing::approximate;
  // Memory preset or description as of `systole gemm --memory`. Loose: the memory that
  // the cycles are for. Approximate: how fast beats follow each other within a burst.
  std::string memory = "ideal";
  sc_core::sc_time quantum =
      sc_core::SC_ZERO_TIME;  // loose; zero: the global quantum, or 1 us
  bool data = true;           // false: time alone; nothing is written to memory
};

// Registers: hw/README.md; 32-bit words, reached by b_transport, nb_transport or
// transport_dbg. A register write that starts a run returns at once, and `interrupt`
// rises as enabled; done and error registers are there for polling.
//
// Constructed from impossible options it reports SC_ID_SYSTOLE_ as an SC_ERROR, which
// throws sc_core::sc_report.
class accelerator : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<accelerator> control;
  tlm_utils::simple_initiator_socket<accelerator> gmem0;  // activations and results
  tlm_utils::simple_initiator_socket<accelerator> gmem1;  // program and weights
  sc_core::sc_port<sc_core::sc_signal_inout_if<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND>
      interrupt;

  accelerator(sc_core::sc_module_name name, const accelerator_options &options);
  ~accelerator() override;

  // Abandons a run; what is under way on the sockets is still taken. Memory stays.
  void reset();
  bool busy() const;

  sc_core::sc_time cycle() const;  // the length of one
  std::uint64_t bursts() const;    // sent since the beginning (approximate timing)

  // Called often during a run, from inside the simulation: to pause it, or show progress.
  void on_pulse(std::function<void()> pulse);

 private:
  struct body;
  std::unique_ptr<body> body_;

  void run();
  void drive_interrupt();
  void control_b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
  unsigned control_dbg(tlm::tlm_generic_payload &payload);
  tlm::tlm_sync_enum gmem0_bw(tlm::tlm_generic_payload &payload, tlm::tlm_phase &phase,
                              sc_core::sc_time &delay);
  tlm::tlm_sync_enum gmem1_bw(tlm::tlm_generic_payload &payload, tlm::tlm_phase &phase,
                              sc_core::sc_time &delay);
  void gmem0_invalidate(sc_dt::uint64 first, sc_dt::uint64 last);
  void gmem1_invalidate(sc_dt::uint64 first, sc_dt::uint64 last);
};

struct memory_options {
  std::uint64_t base = 0;          // first address
  std::uint64_t bytes = 1u << 20;  // costs nothing until it is written
  std::string preset = "ideal";    // timing law, sim/README.md
  int port = 0;                    // whose, where a description differs by port
  int bus_bytes = 16;              // of a beat
  double clock_mhz = 300.0;
  bool dmi = true;
};

// Memory behind one bus: reads and writes on a channel each, first come, first served, by
// the timing law of all simulated cards (sim/memory). Any number of initiators.
class memory : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<memory> socket;

  memory(sc_core::sc_module_name name, const memory_options &options);
  ~memory() override;

  // Blocks of device memory, aligned to 4096; 0 when there is none of that length.
  std::uint64_t alloc(std::uint64_t bytes);
  bool release(std::uint64_t address);
  void usage(std::uint64_t *used, std::uint64_t *longest) const;
  // `bytes` at `address`, or nullptr.
  std::uint8_t *at(std::uint64_t address, std::uint64_t bytes);

  // Whatever touches first ... last is answered by TLM_GENERIC_ERROR_RESPONSE (an SLVERR)
  // from now on, and DMI is withdrawn; first > last heals it. For tests of software.
  void refuse(std::uint64_t first, std::uint64_t last);

 private:
  struct body;
  std::unique_ptr<body> body_;

  void b_transport(int from, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
  tlm::tlm_sync_enum nb_transport(int from, tlm::tlm_generic_payload &payload,
                                  tlm::tlm_phase &phase, sc_core::sc_time &delay);
  bool get_dmi(int from, tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi);
  unsigned dbg(int from, tlm::tlm_generic_payload &payload);
};

// Passes transactions on by their address. Takes no time itself; who waits, waits at the
// target. An address that nobody has is answered by TLM_ADDRESS_ERROR_RESPONSE (a
// DECERR).
class router : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<router> from;  // initiators
  tlm_utils::multi_passthrough_initiator_socket<router> to;

  explicit router(sc_core::sc_module_name name);
  ~router() override;

  // Binds `target` to `bytes` from `base` on; it sees addresses as they are, or with
  // `relative` counted from 0. Before the simulation starts.
  template <typename Socket>
  void map(Socket &target, std::uint64_t base, std::uint64_t bytes, bool relative) {
    add(base, bytes, relative);
    to.bind(target);
  }

 private:
  struct body;
  std::unique_ptr<body> body_;

  void add(std::uint64_t base, std::uint64_t bytes, bool relative);
  void b_transport(int from, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
  tlm::tlm_sync_enum nb_fw(int from, tlm::tlm_generic_payload &payload,
                           tlm::tlm_phase &phase, sc_core::sc_time &delay);
  tlm::tlm_sync_enum nb_bw(int target, tlm::tlm_generic_payload &payload,
                           tlm::tlm_phase &phase, sc_core::sc_time &delay);
  bool get_dmi(int from, tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi);
  unsigned dbg(int from, tlm::tlm_generic_payload &payload);
  void invalidate(int target, sc_dt::uint64 first, sc_dt::uint64 last);
};

// Where a driver finds things, as the CPU's bus has them.
struct driver_map {
  std::uint64_t registers = 0;
  // Memory that the accelerator's ports reach at the same addresses; multiples of 4096.
  // The same base twice is one memory for both.
  std::uint64_t memory_base[2] = {0, 0}, memory_bytes[2] = {0, 0};
  double clock_mhz = 300.0;  // of the accelerator
};

// What software on a platform's processor does with the accelerator, without the
// processor: libsystole's functions on this socket, called from an SC_THREAD. Registers
// by b_transport, memory by DMI where it is granted, the end of a run by interrupt.
//
//   systole_bus bus = driver.bus();
//   systole_device_open_on_bus(&device, &bus, nullptr);
//   systole_gemm_s8(device, ...);             // takes simulated time
//
// The thread needs a stack of a megabyte (set_stack_size).
class driver : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<driver> socket;
  sc_core::sc_in<bool> interrupt;

  driver(sc_core::sc_module_name name, const driver_map &map);
  ~driver() override;

  systole_bus bus();  // good as long as the driver is there

 private:
  struct body;
  std::unique_ptr<body> body_;

  void invalidate(sc_dt::uint64 first, sc_dt::uint64 last);
};

}  // namespace systole

#endif

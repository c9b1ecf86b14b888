// One simulation kernel for each platform, in one process.
//
// SystemC has one kernel a process and no way to begin anew: the current one hangs on two
// global pointers of the library (Accellera's 2.3.x). A platform brings a kernel of its
// own, and while it works, and only then, the pointers are its. What else is global
// (coroutines, reports) is in rest between two runs. So kernels take turns: in the order
// in which they ask, none starves.
#ifndef SYSTOLE_SYSTEMC_KERNEL_H
#define SYSTOLE_SYSTEMC_KERNEL_H

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <systemc>

namespace systole {

class kernel {
 public:
  kernel() = default;
  kernel(const kernel &) = delete;
  kernel &operator=(const kernel &) = delete;

  // While one exists, SystemC's functions mean this kernel. Of one thread at a time.
  class turn {
   public:
    explicit turn(kernel &mine) {
      queue &q = waiting();
      std::unique_lock<std::mutex> lock(q.mutex);
      const std::uint64_t number = q.next++;
      q.changed.wait(lock, [&] { return q.now == number; });
      lock.unlock();
      if (sc_core::sc_curr_simcontext != nullptr &&
          sc_core::sc_curr_simcontext->get_status() == sc_core::SC_RUNNING) {
        end();
        throw std::runtime_error(
            "a SystemC simulation is running in this process; put the accelerator into "
            "it "
            "(systole/systemc.h) instead of opening a device");
      }
      current_ = sc_core::sc_curr_simcontext;
      global_ = sc_core::sc_default_global_context;
      if (!mine.context_) {
        sc_core::sc_curr_simcontext = nullptr;
        mine.context_ = std::make_unique<sc_core::sc_simcontext>();
      }
      sc_core::sc_curr_simcontext = mine.context_.get();
      sc_core::sc_default_global_context = mine.context_.get();
    }
    ~turn() {
      sc_core::sc_curr_simcontext = current_;
      sc_core::sc_default_global_context = global_;
      end();
    }
    turn(const turn &) = delete;
    turn &operator=(const turn &) = delete;

   private:
    struct queue {
      std::mutex mutex;
      std::condition_variable changed;
      std::uint64_t next = 0, now = 0;
    };
    static queue &waiting() {
      static queue q;
      return q;
    }
    static void end() {
      queue &q = waiting();
      const std::lock_guard<std::mutex> lock(q.mutex);
      q.now++;
      q.changed.notify_all();
    }

    sc_core::sc_simcontext *current_ = nullptr, *global_ = nullptr;
  };

  // In a turn, after the modules are gone.
  void end() { context_.reset(); }

 private:
  std::unique_ptr<sc_core::sc_simcontext> context_;
};

}  // namespace systole

#endif

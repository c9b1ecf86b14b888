// One AXI4 port's memory for the Icarus bench, with the timing law of sim/memory/axi_memory.h at full
// rate: an address accepted in cycle t brings its first beat from t + Latency on, one beat a cycle in
// order; write data are taken from the cycle after their address, the response comes Latency cycles
// after the last beat. Reads and writes do not interact.
`default_nettype none

module memory_port #(
  parameter int AxiBytes = 4,
  parameter int Beats    = 1024, // size of the memory
  parameter int Latency  = 64    // cycles; preset `ideal`
) (
  input  logic                  clk,
  input  logic                  rst_n,
  input  logic [63:0]           araddr,
  input  logic [7:0]            arlen,
  input  logic                  arvalid,
  output logic                  arready,
  output logic                  rvalid,
  input  logic                  rready,
  output logic [8*AxiBytes-1:0] rdata,
  output logic                  rlast,
  input  logic [63:0]           awaddr,
  input  logic [7:0]            awlen,
  input  logic                  awvalid,
  output logic                  awready,
  input  logic                  wvalid,
  output logic                  wready,
  input  logic [8*AxiBytes-1:0] wdata,
  input  logic [AxiBytes-1:0]   wstrb,
  input  logic                  wlast,
  output logic                  bvalid,
  input  logic                  bready
);
  localparam int Shift = $clog2(AxiBytes);
  localparam int Depth = 256; // bursts under way in a direction

  reg [8*AxiBytes-1:0] beats [0:Beats-1];

  // Bursts in order: index of the next beat, beats still to come, first cycle of the answer.
  integer read_at [0:Depth-1], read_left [0:Depth-1], read_ready [0:Depth-1];
  integer write_at [0:Depth-1], write_left [0:Depth-1], reply_ready [0:Depth-1];
  integer read_head, read_count, write_head, write_count, reply_head, reply_count, now;
  integer i, slot;
  initial for (i = 0; i < Beats; i = i + 1) beats[i] = '0; // as the Verilated card's memory starts

  logic   offered; // the beat on the wires was not taken

  function automatic integer index_of(input logic [63:0] address);
    index_of = address[31:0] >> Shift;
    if (index_of >= Beats) begin
      $display("memory_port: address %h is beyond the memory of %0d bytes", address, Beats * AxiBytes);
      $fatal(1, "an address is beyond the memory");
    end
  endfunction

  always @(posedge clk) begin
    if (!rst_n) begin
      read_head = 0; read_count = 0; write_head = 0; write_count = 0; reply_head = 0; reply_count = 0; now = 0;
      arready <= 1'b0; rvalid <= 1'b0; rlast <= 1'b0; awready <= 1'b0; wready <= 1'b0; bvalid <= 1'b0;
    end else begin
      // What the cycle that ends here has transferred.
      offered = rvalid && !rready;
      if (rvalid && rready) begin
        read_at[read_head] = read_at[read_head] + 1;
        read_left[read_head] = read_left[read_head] - 1;
        if (read_left[read_head] == 0) begin
          read_head = (read_head + 1) % Depth;
          read_count = read_count - 1;
        end
      end
      if (arvalid && arready) begin
        slot = (read_head + read_count) % Depth;
        read_at[slot] = index_of(araddr);
        read_left[slot] = arlen + 1;
        read_ready[slot] = now + Latency;
        read_count = read_count + 1;
        i = index_of(araddr + (arlen * AxiBytes));
      end
      if (bvalid && bready) begin
        reply_head = (reply_head + 1) % Depth;
        reply_count = reply_count - 1;
      end
      if (wvalid && wready) begin
        for (i = 0; i < AxiBytes; i = i + 1)
          if (wstrb[i]) beats[write_at[write_head]][8*i +: 8] = wdata[8*i +: 8];
        write_at[write_head] = write_at[write_head] + 1;
        write_left[write_head] = write_left[write_head] - 1;
        if (wlast !== (write_left[write_head] == 0)) $fatal(1, "memory_port: wlast is at the wrong beat");
        if (write_left[write_head] == 0) begin
          reply_ready[(reply_head + reply_count) % Depth] = now + Latency;
          reply_count = reply_count + 1;
          write_head = (write_head + 1) % Depth;
          write_count = write_count - 1;
        end
      end
      if (awvalid && awready) begin
        slot = (write_head + write_count) % Depth;
        write_at[slot] = index_of(awaddr);
        write_left[slot] = awlen + 1;
        write_count = write_count + 1;
        i = index_of(awaddr + (awlen * AxiBytes));
      end
      now = now + 1;
      // What the next one offers.
      arready <= read_count < Depth;
      if (!offered) begin
        rvalid <= read_count != 0 && now >= read_ready[read_head];
        if (read_count != 0) begin
          rdata <= beats[read_at[read_head]];
          rlast <= read_left[read_head] == 1;
        end
      end
      awready <= write_count < Depth;
      wready  <= write_count != 0 && reply_count < Depth;
      bvalid  <= reply_count != 0 && now >= reply_ready[reply_head];
    end
  end
endmodule

`default_nettype wire

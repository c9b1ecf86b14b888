// Every cycle of a run is in exactly one category: the parts sum to the cycles, in every run of any
// length. The invariant is on the registers, the claim on the counters that the host reads. Both are
// proven modulo 2^Bits: a cycle that is forgotten or counted twice shows in the lowest bits.
`default_nettype none

module systole_ledger_proof (
    input logic       clk_i,
    input logic       start_i,
    input logic       last_i,  // the run ends with this cycle
    input logic       active_i,
    input logic [2:0] where_i
);
  localparam int Waits = 5;
  localparam int Bits = 2;
  logic [64*systole_pkg::CounterInstructions-1:0] counters;
  logic [63:0] unused_instructions;
  logic run_q;       // a run is on
  logic shown_q;     // counters are those of a finished run
  logic ending_q;
  logic any_q;       // there was a start
  logic first_q;     // the first cycle is over; nothing is reset here
  initial begin
    run_q    = 1'b0;
    shown_q  = 1'b0;
    ending_q = 1'b0;
    any_q    = 1'b0;
    first_q  = 1'b0;
  end
  always_ff @(posedge clk_i) begin
    if (start_i) run_q <= 1'b1;
    else if (last_i) run_q <= 1'b0;
    if (start_i) any_q <= 1'b1;
    first_q <= 1'b1;
    ending_q <= run_q && last_i;
    shown_q  <= (shown_q || ending_q) && !start_i;
  end

  always @* begin
    if (run_q) assume (!start_i);
    if (ending_q) assume (!start_i);
    assume (where_i < 3'(Waits));
  end

  systole_ledger #(.Dim(2), .AxiBytes(4)) u_ledger (
      .clk_i, .start_i, .run_i(run_q), .active_i(active_i && run_q), .where_i,
      .zero_valid_i(1'b0), .zero_macs_i('0), .ub_read_i(1'b0), .ub_write_i(1'b0),
      .weight_i(1'b0), .acc_read_i(1'b0), .gmem0_read_i(1'b0), .gmem0_write_i(1'b0),
      .gmem1_read_i(1'b0), .instruction_i(1'b0), .counters_o(counters), .instructions_o(unused_instructions));

  (* hierconn *) wire [63:0] \u_ledger.cycles_q ;
  (* hierconn *) wire [63:0] \u_ledger.startup_q ;
  (* hierconn *) wire [63:0] \u_ledger.active_q ;
  (* hierconn *) wire        \u_ledger.holding_q ;
  (* hierconn *) wire [63:0] \u_ledger.drain_q ;
  (* hierconn *) wire        \u_ledger.seen_q ;
  (* hierconn *) wire        \u_ledger.run_q ;
  (* hierconn *) wire [63:0] \u_ledger.wait_q[0] ;
  (* hierconn *) wire [63:0] \u_ledger.wait_q[1] ;
  (* hierconn *) wire [63:0] \u_ledger.wait_q[2] ;
  (* hierconn *) wire [63:0] \u_ledger.wait_q[3] ;
  (* hierconn *) wire [63:0] \u_ledger.wait_q[4] ;
  (* hierconn *) wire [63:0] \u_ledger.held_q[0] ;
  (* hierconn *) wire [63:0] \u_ledger.held_q[1] ;
  (* hierconn *) wire [63:0] \u_ledger.held_q[2] ;
  (* hierconn *) wire [63:0] \u_ledger.held_q[3] ;
  (* hierconn *) wire [63:0] \u_ledger.held_q[4] ;
  // Each a net of Bits bits, so that every tool cuts where this says.
  logic [Bits-1:0] cycles, before, held, settled, all, parts;
  assign cycles  = \u_ledger.cycles_q [Bits-1:0];
  assign before  = \u_ledger.startup_q [Bits-1:0] + \u_ledger.active_q [Bits-1:0];
  assign held    = \u_ledger.held_q[0] [Bits-1:0] + \u_ledger.held_q[1] [Bits-1:0]
                 + \u_ledger.held_q[2] [Bits-1:0] + \u_ledger.held_q[3] [Bits-1:0]
                 + \u_ledger.held_q[4] [Bits-1:0];
  assign settled = \u_ledger.wait_q[0] [Bits-1:0] + \u_ledger.wait_q[1] [Bits-1:0]
                 + \u_ledger.wait_q[2] [Bits-1:0] + \u_ledger.wait_q[3] [Bits-1:0]
                 + \u_ledger.wait_q[4] [Bits-1:0];
  assign all     = before + settled + held;

  always @* begin
    parts = '0;
    for (int i = systole_pkg::CounterActive; i <= systole_pkg::CounterOther; i++)
      parts = parts + counters[64*i+:Bits];
  end

  always @(posedge clk_i) begin
    if (any_q) begin
      begin : EveryCycleIsSomewhere
        assert (cycles == all);
      end
      begin : DrainIsWhatIsHeld
        assert (\u_ledger.drain_q [Bits-1:0] == held);
      end
      begin : NothingIsHeldBeforeTheFirstRow
        assert (\u_ledger.seen_q || !\u_ledger.holding_q );
      end
      begin : NothingIsHeldAfterARow
        assert (\u_ledger.holding_q
                || (\u_ledger.held_q[0] == '0 && \u_ledger.held_q[1] == '0
                    && \u_ledger.held_q[2] == '0 && \u_ledger.held_q[3] == '0
                    && \u_ledger.held_q[4] == '0));
      end
    end
    begin : TheEndIsSeenOnce
      assert (!first_q || ending_q == (\u_ledger.run_q && !run_q));
    end
    begin : FinishedRunsWereStarted assert (any_q ? first_q : !shown_q && !ending_q && !run_q); end
    begin : RunningAndShownExclude assert (!(run_q && (ending_q || shown_q)) && !(ending_q && shown_q)); end
    if (shown_q) begin : PartsSumToCycles
      assert (parts == counters[Bits-1:0] && counters[63:0] == \u_ledger.cycles_q );
    end
  end
endmodule

`default_nettype wire

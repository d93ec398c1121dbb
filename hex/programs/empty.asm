; empty: does nothing, so what it costs is what starting costs.
;
;   adead run hex/programs/empty.hex

        halt

"""Cases that were not made for scalebridge: the files of preCICE's adapters beside a preCICE configuration."""

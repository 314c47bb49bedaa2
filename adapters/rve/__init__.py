"""How large a micro volume has to be: other sizes, resolutions and realisations of it, and what they are worth."""

"""zonda beside other event loops and resolvers, under Tornado's names."""
